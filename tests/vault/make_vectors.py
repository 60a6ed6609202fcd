"""Makes vectors.json anew: python -m tests.vault.make_vectors. It needs node, the tests do not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from siege_nb.declare import Secret
from siege_nb.vault import EncryptionService, token
from siege_nb.vault.token import Key

FILE = Path(__file__).with_name("vectors.json")
TEXTS = ["", "a", "correct horse", "pass:word", "encrypted:abc123", "äöü€😀", "日本語", "x" * 300, "\0\n\r\t", '"\\\'"']
OLD_KEY, OTHER_OLD_KEY = "0123456789abcdefghijklmnopqrstu!", "!utsrqponmlkjihgfedcba9876543210"
KEY, OTHER_KEY, KID, OTHER_KID = bytes(range(32)), bytes(32), "kEyName1", "kEyName2"
WHERE = ["7a1c8bb2-0000-4000-8000-000000000001", "connection", "prod", "authentication.password"]

# The connection service's own code, without its types.
NODE = """
const crypto = require('crypto');
class EncryptionService {
  static algorithm = 'aes-256-gcm';
  static key = process.env.ENCRYPTION_KEY;
  static encrypt(plaintext) {
    const iv = crypto.randomBytes(16);
    const cipher = crypto.createCipheriv(this.algorithm, this.key, iv);
    let encrypted = cipher.update(plaintext, 'utf8', 'hex');
    encrypted += cipher.final('hex');
    const authTag = cipher.getAuthTag();
    return `encrypted:${iv.toString('hex')}:${encrypted}:${authTag.toString('hex')}`;
  }
  static decrypt(ciphertext) {
    if (!ciphertext.startsWith('encrypted:')) {
      throw new Error('Invalid encrypted value');
    }
    const parts = ciphertext.split(':');
    const iv = Buffer.from(parts[1], 'hex');
    const encrypted = parts[2];
    const authTag = Buffer.from(parts[3], 'hex');
    const decipher = crypto.createDecipheriv(this.algorithm, this.key, iv);
    decipher.setAuthTag(authTag);
    let decrypted = decipher.update(encrypted, 'hex', 'utf8');
    decrypted += decipher.final('utf8');
    return decrypted;
  }
}
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(given.texts.map((text) => EncryptionService[given.act](text))));
"""


def node(act: str, texts: list[str]) -> list[str]:
    """What the service's own code makes of these texts."""
    ran = subprocess.run(
        ["node", "-e", NODE], input=json.dumps({"act": act, "texts": texts}), capture_output=True, text=True,
        env=os.environ | {"ENCRYPTION_KEY": OLD_KEY}, check=True,
    )  # fmt: skip
    found: list[str] = json.loads(ran.stdout)
    return found


def changed(written: str, *, most: int) -> dict[str, str]:
    """The ciphertext with one thing wrong with it, by what that is."""
    head, ciphertext, tag = written.rsplit(":", 2)
    found = {f"a tag of {n} bytes": f"{head}:{ciphertext}:{(tag * 2)[: 2 * n]}" for n in (0, 1, 4, 8, 12, 15, 17, 32)}
    found |= {
        "upper case": f"encrypted:{written.removeprefix('encrypted:').upper()}", "no prefix": written[10:],
        "another prefix": f"Encrypted{written[9:]}", "a space before": f" {written}",
        "a newline behind": f"{written}\n",
        "a field more": f"{written}:00", "a field less": f"{head}:{ciphertext}", "no ciphertext": f"{head}::{tag}",
        "a byte more": f"{head}:{ciphertext}00:{tag}", "a byte less": f"{head}:{ciphertext[2:]}:{tag}",
        "half a byte": f"{head}:{ciphertext}0:{tag}", "no hex": f"{head}:{ciphertext}zz:{tag}", "twice": written * 2,
        "a longer nonce": f"{head}00:{ciphertext}:{tag}", "a shorter nonce": f"{head[:-2]}:{ciphertext}:{tag}",
        "fields swapped": f"{head}:{tag}:{ciphertext}",
    }  # fmt: skip
    for n in range(len(written) - 1, 10, -max(1, len(written) // most)):
        if written[n] in "0123456789abcdef":
            found[f"character {n} changed"] = f"{written[:n]}{int(written[n], 16) ^ 1:x}{written[n + 1 :]}"
    return found


def old() -> list[dict[str, Any]]:
    """Ciphertext of the format before v2."""
    made = node("encrypt", TEXTS)
    found = [{"what": "made by node", "token": t, "text": text} for t, text in zip(made, TEXTS, strict=True)]
    os.environ["ENCRYPTION_KEY"] = OLD_KEY
    ours = [EncryptionService.encrypt(text) for text in TEXTS[:4]]
    assert node("decrypt", ours) == TEXTS[:4]
    found += [{"what": "made here, read by node", "token": t, "text": x} for t, x in zip(ours, TEXTS, strict=False)]
    found += [{"what": what, "token": t} for what, t in changed(made[2], most=24).items()]
    found += [{"what": "another key", "token": t, "key": OTHER_OLD_KEY} for t in made[:3]]
    samples = ["encrypted:abc123", "encrypted:def456", "encrypted:", "encrypted:::", "", "plain", "encrypted:v2."]
    found += [{"what": "no ciphertext at all", "token": t} for t in samples]
    return [{"format": "old", "key": OLD_KEY} | vector for vector in found]


def new() -> list[dict[str, Any]]:
    """Tokens of the format v2."""
    made = [token.seal(Secret(text), Key(KEY), KID, *WHERE) for text in TEXTS]
    found: list[dict[str, Any]] = [{"what": "ours", "token": t, "text": x} for t, x in zip(made, TEXTS, strict=True)]
    found += [{"what": what, "token": t} for what, t in changed(made[2], most=24).items()]
    found += [{"what": "another key", "token": t, "key": OTHER_KEY.hex()} for t in made[:3]]
    found += [{"what": "another key's name", "token": made[2].replace(KID, OTHER_KID)}]
    elsewhere = ["", "7a1c8bb2"], ["database", ""], ["test", "Prod", ""], ["password", "authentication"]
    for n, others in enumerate(elsewhere):
        found += [
            {"what": f"moved to {other!r}", "token": made[2], "where": [*WHERE[:n], other, *WHERE[n + 1 :]]}
            for other in others
        ]
    found += [{"what": "joined otherwise", "token": made[2], "where": [WHERE[0], "connectionprod", "", WHERE[3]]}]
    found += [{"what": "a place less", "token": made[2], "where": WHERE[:3]}]
    return [{"format": "v2", "key": KEY.hex(), "where": WHERE} | vector for vector in found]


if __name__ == "__main__":
    vectors = old() + new()
    FILE.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(vectors)} vectors, {sum('text' not in vector for vector in vectors)} of them must fail")
