"""The first system's functions: dicts in and dicts out, over the one store, vault and pool."""

from siege_nb.profiles.clients import (
    associate_client_with_project,
    clone_client_profile,
    create_client_profile,
    delete_client_profile,
    disassociate_client_from_project,
    get_client_project_associations,
    list_client_profiles,
    load_client_profile,
    rename_client_profile,
    save_client_profile,
    search_client_profiles,
    update_client_profile,
    validate_client_profile,
)
from siege_nb.profiles.connections import (
    clone_connection_profile,
    create_connection_profile,
    delete_connection_profile,
    find_connection_by_name,
    list_connection_profiles,
    load_connection_profile,
    open_profile,
    rename_connection_profile,
    save_connection_profile,
    update_connection_profile,
)
from siege_nb.profiles.databases import (
    create_database_config,
    create_spark_session_with_databases,
    delete_database_config,
    get_spark_database_options,
    list_database_configs,
    load_database_config,
    save_database_config,
    test_database_connection,
    update_database_config,
)
from siege_nb.profiles.health import (
    cleanup_old_connections,
    get_connection_status,
    test_connection,
    verify_connection_profile,
)
from siege_nb.profiles.projects import (
    create_project_config,
    delete_project_config,
    get_project_path,
    list_projects,
    load_project_config,
    save_project_config,
    setup_project_directories,
    update_project_config,
)
from siege_nb.profiles.reasons import (
    ProfileWarning,
    last_error,
)

__all__ = [
    "ProfileWarning", "associate_client_with_project", "cleanup_old_connections", "clone_client_profile",
    "clone_connection_profile", "create_client_profile", "create_connection_profile", "create_database_config",
    "create_project_config", "create_spark_session_with_databases", "delete_client_profile",
    "delete_connection_profile", "delete_database_config", "delete_project_config",
    "disassociate_client_from_project", "find_connection_by_name", "get_client_project_associations",
    "get_connection_status", "get_project_path", "get_spark_database_options", "last_error", "list_client_profiles",
    "list_connection_profiles", "list_database_configs", "list_projects", "load_client_profile",
    "load_connection_profile", "load_database_config", "load_project_config", "open_profile",
    "rename_client_profile", "rename_connection_profile", "save_client_profile", "save_connection_profile",
    "save_database_config", "save_project_config", "search_client_profiles", "setup_project_directories",
    "test_connection", "test_database_connection", "update_client_profile", "update_connection_profile",
    "update_database_config", "update_project_config", "validate_client_profile", "verify_connection_profile",
]  # fmt: skip
