# SPDX-License-Identifier: Apache-2.0
"""Tokenizers the slow and obvious way, for comparison: python's standard library alone.

    tokenizer_oracle.py classes             runs of characters of one class: FIRST CLASS
    tokenizer_oracle.py json FILE OUT       a GGUF file's tokenizer as HF's tokenizer.json
    tokenizer_oracle.py encode FILE TEXTS   TEXTS: a u32 length and bytes, again and again; the ids
                                            of each text on a line
FILE: llama2.c's tokenizer, a GGUF file with one, or a tokenizer.json.
"""
import json
import re
import struct
import sys
import unicodedata

# The regular expressions as the models' tokenizer.json have them.
C = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + C + "?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + C + "?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
WORDS = {
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama-bpe": C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
                     r"|\s+(?!\S)|\s+",
    "qwen2": C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
                 r"|\s+(?!\S)|\s+",
    "gpt-4o": O200K,
}
# Unicode's White_Space; python's own \s has four more.
SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(c) for c in range(0x2000, 0x200B))


def char_class(c):
    k = unicodedata.category(chr(c))
    if chr(c) in SPACE:
        return 6
    return {"Lu": 1, "Lt": 1, "Ll": 2}.get(k, {"L": 3, "M": 4, "N": 5}.get(k[0], 0))


def classes():
    before = None
    for c in range(0x110000):
        k = char_class(c)
        if k != before:
            print(c, k)
        before = k


def plain_regex(rule, text):
    """The rule with classes spelled as the characters of them that the text has."""
    have = sorted(set(text))

    def members(name):
        found = [c for c in have if unicodedata.category(c).startswith(name)]
        return "".join(re.escape(c) for c in found)

    out, inside, i = "", False, 0
    while i < len(rule):
        m = re.compile(r"\\p\{(\w+)\}|\\s|\\S").match(rule, i)
        if m:
            s = re.escape(SPACE) if m.group(0) in ("\\s", "\\S") else members(m.group(1))
            if inside:
                out += s
            else:
                s = s or "\U0010ffff"  # a class without members: what the text has not
                out += "[^" + s + "]" if m.group(0) == "\\S" else "[" + s + "]"
            i = m.end()
            continue
        if rule[i] == "[":
            inside = True
            if re.compile(r"\[(\\p\{\w+\})+\]").match(rule, i):
                out += "[\U0010ffff"
                i += 1
                continue
        elif rule[i] == "]":
            inside = False
        if rule[i] == "\\":
            out += rule[i]
            i += 1
        out += rule[i]
        i += 1
    return re.compile(out)


def byte_chars():
    """GPT-2's printable characters for bytes."""
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, n = {}, 0
    for b in range(256):
        table[chr(b) if b in keep else chr(256 + n)] = b
        n += b not in keep
    return table


BYTE_OF = byte_chars()


def from_chars(s):
    return b"".join(bytes([BYTE_OF[c]]) if c in BYTE_OF else c.encode() for c in s)


class Tokenizer:
    def __init__(self):
        self.rank = None  # byte-level BPE: pairs of bytes
        self.score = None
        self.bos = self.rule = self.whole = None
        self.ids = {}      # bytes -> id
        self.bytes = {}    # byte -> id
        self.prefix = False
        self.marks = True  # U+2581 is a blank
        self.strict = False  # llama2.c: an unknown character never merges
        self.pairs = None    # tokenizer.json: only these merge

    def encode(self, raw):
        out = [self.bos] if self.bos is not None else []
        if not raw:
            return out
        if self.prefix:
            raw = b" " + raw
        if self.rank is None:
            if self.marks:  # the mark of a blank is a blank in a text, too
                raw = raw.replace(b"\xe2\x96\x81", b" ")
            return out + self.by_score(raw)
        text = raw.decode("utf-8", "surrogateescape")
        for word in self.words.findall(text):
            out += self.by_rank(word.encode("utf-8", "surrogateescape"))
        return out

    def by_rank(self, word):
        if self.whole and word in self.ids:
            return [self.ids[word]]
        parts = [bytes([b]) for b in word]
        while True:
            best = None
            for i in range(len(parts) - 1):
                r = self.rank.get((parts[i], parts[i + 1]))
                if r is not None and (best is None or r < best[0]):
                    best = (r, i)
            if best is None:
                return [self.ids[p] for p in parts]
            i = best[1]
            parts[i:i + 2] = [parts[i] + parts[i + 1]]

    def by_score(self, raw):
        parts, i = [], 0
        while i < len(raw):
            n = 1
            while i + n < len(raw) and n < 4 and raw[i + n] & 0xC0 == 0x80:
                n += 1
            parts.append(raw[i:i + n])
            i += n
        dead = [self.strict and p not in self.ids for p in parts]
        while True:
            best = None
            for i in range(len(parts) - 1):
                t = parts[i] + parts[i + 1]
                if t in self.ids and not dead[i] and not dead[i + 1] and (
                        self.pairs is None or (parts[i], parts[i + 1]) in self.pairs):
                    s = self.score[self.ids[t]]
                    if best is None or s > best[0]:
                        best = (s, i)
            if best is None:
                break
            i = best[1]
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
            del dead[i]
        out = []
        for p in parts:
            out += [self.ids[p]] if p in self.ids else [self.bytes[b] for b in p]
        return out


def add_pieces(t, names, kinds, scores):
    """sentencepiece's: a blank is U+2581, bytes are <0x00>."""
    t.score = scores
    for i, name in enumerate(names):
        if kinds[i] == 6:
            t.bytes[int(name[3:5], 16)] = i
        elif kinds[i] in (1, 4):
            t.ids.setdefault(name.replace(b"\xe2\x96\x81", b" ") if t.marks else name, i)


def llama2c(data):
    t, at, names, scores = Tokenizer(), 4, [], []
    t.marks = False
    while at < len(data):
        s, n = struct.unpack_from("<fi", data, at)
        scores.append(s)
        names.append(data[at + 8:at + 8 + n])
        at += 8 + n
    kinds = [3 if i < 3 else 6 if re.fullmatch(rb"<0x..>", n) else 1 for i, n in enumerate(names)]
    add_pieces(t, names, kinds, scores)
    t.bos, t.prefix, t.strict = 1, True, True
    return t


def gguf_values(data):
    sizes = "BbHhIif?"
    at = [24]

    def take(fmt):
        v = struct.unpack_from("<" + fmt, data, at[0])[0]
        at[0] += struct.calcsize("<" + fmt)
        return v

    def string():
        n = take("Q")
        at[0] += n
        return data[at[0] - n:at[0]]

    def value(kind):
        if kind == 8:
            return string()
        if kind == 9:
            item, n = take("I"), take("Q")
            return [value(item) for _ in range(n)]
        return take((sizes + "--Qqd")[kind])

    out = {}
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        key = string().decode()
        out[key] = value(take("I"))
    return {k[15:]: v for k, v in out.items() if k.startswith("tokenizer.ggml.")}


def add_merges(t, names, merges, rule):
    t.rank, t.rule, t.whole = {}, rule, rule == "llama-bpe"
    for i, name in names:
        t.ids.setdefault(from_chars(name), i)
    for r, (a, b) in enumerate(merges):
        t.rank.setdefault((from_chars(a), from_chars(b)), r)


def gguf(data):
    t, v = Tokenizer(), gguf_values(data)
    kinds = v.get("token_type", [1] * len(v["tokens"]))
    if v["model"] == b"llama":
        add_pieces(t, v["tokens"], kinds, v["scores"])
        t.prefix = v.get("add_space_prefix", True)
        t.bos = v.get("bos_token_id", 1) if v.get("add_bos_token", True) else None
    else:
        names = [(i, n.decode()) for i, n in enumerate(v["tokens"]) if kinds[i] == 1]
        merges = [m.decode().split(" ", 1) for m in v["merges"]]
        add_merges(t, names, merges, v["pre"].decode())
        t.bos = v["bos_token_id"] if v.get("add_bos_token") else None
    return t


def hf(data):
    t, v = Tokenizer(), json.loads(data)
    special = {a["id"] for a in v["added_tokens"]}
    names = [(i, n) for n, i in v["model"]["vocab"].items() if i not in special]
    merges = [m if isinstance(m, list) else m.split(" ", 1) for m in v["model"]["merges"]]
    if v["model"].get("byte_fallback"):
        blank = lambda n: n.replace("\u2581", " ").encode()
        rank = {}
        for r, (a, b) in enumerate(merges):
            rank.setdefault(a + b, r)
        for i, n in names:
            if re.fullmatch(r"<0x..>", n):
                t.bytes[int(n[3:5], 16)] = i
            else:
                t.ids[blank(n)] = i
        t.score = {i: -rank.get(n, 1 << 30) for i, n in names}
        t.pairs = {(blank(a), blank(b)) for a, b in merges}
        t.prefix = t.strict = True
    else:
        pre = v["pre_tokenizer"]
        regex = [p["pattern"]["Regex"] for p in pre.get("pretokenizers", []) if p["type"] == "Split"]
        rule = [k for k in WORDS if regex and WORDS[k] == regex[0]] or ["gpt-2"]
        add_merges(t, sorted(names), merges, rule[0])
        t.whole = v["model"].get("ignore_merges", False)
    post = v.get("post_processor") or {}
    for p in [post] + post.get("processors", []):
        if p.get("type") == "TemplateProcessing" and "SpecialToken" in p["single"][0]:
            t.bos = p["special_tokens"][p["single"][0]["SpecialToken"]["id"]]["ids"][0]
    return t


def score_merges(v, kinds):
    """All ways to make each piece of two, the best piece first, as HF's converter does."""
    score = {n.decode(): v["scores"][i] for i, n in reversed(list(enumerate(v["tokens"])))
             if kinds[i] == 1}
    return [[n[:i], n[i:]] for n in sorted(score, key=lambda n: (-score[n], n))
            for i in range(1, len(n)) if n[:i] in score and n[i:] in score]


def to_json(data):
    v = gguf_values(data)
    kinds, names = v["token_type"], [n.decode() for n in v["tokens"]]
    vocab = {}
    for i, n in enumerate(names):
        vocab.setdefault(n, i)
    out = {"added_tokens": [{"id": i, "content": n, "special": True} for i, n in enumerate(names)
                            if kinds[i] in (2, 3)]}
    if v["model"] == b"llama":
        out["normalizer"] = {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}
        out["pre_tokenizer"] = None
        out["model"] = {"type": "BPE", "byte_fallback": True, "unk_token": names[0],
                        "vocab": vocab, "merges": score_merges(v, kinds)}
        bos = 1
    else:
        rule = v["pre"].decode()
        level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": rule == "gpt-2"}
        split = {"type": "Split", "pattern": {"Regex": WORDS[rule]}, "behavior": "Isolated"}
        out["pre_tokenizer"] = level if rule == "gpt-2" else {
            "type": "Sequence", "pretokenizers": [split, level]}
        merges = [m.decode() for m in v["merges"]]
        out["model"] = {"type": "BPE", "ignore_merges": rule == "llama-bpe", "vocab": vocab,
                        "merges": [m.split(" ", 1) for m in merges] if rule == "qwen2" else merges}
        bos = v["bos_token_id"] if rule == "llama-bpe" else None
    if bos is not None:
        out["post_processor"] = {"type": "Sequence", "processors": [{
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": names[bos]}}, {"Sequence": {"id": "A"}}],
            "special_tokens": {names[bos]: {"id": names[bos], "ids": [bos]}}}]}
    return out


def main():
    if sys.argv[1] == "classes":
        classes()
        return
    data = open(sys.argv[2], "rb").read()
    if sys.argv[1] == "json":
        json.dump(to_json(data), open(sys.argv[3], "w"), ensure_ascii=False)
        return
    kind = gguf if data[:4] == b"GGUF" else hf if data[:1] == b"{" else llama2c
    t, texts, at = kind(data), open(sys.argv[3], "rb").read(), 0
    every, i = "", 0
    while i < len(texts):
        n = struct.unpack_from("<I", texts, i)[0]
        every += texts[i + 4:i + 4 + n].decode("utf-8", "surrogateescape")
        i += 4 + n
    t.words = plain_regex(WORDS[t.rule], every) if t.rule else None
    while at < len(texts):
        n = struct.unpack_from("<I", texts, at)[0]
        print(*t.encode(texts[at + 4:at + 4 + n]))
        at += 4 + n


main()
