#!/usr/bin/env python3
"""Writes clip.safetensors and clip_tokens.json beside it: what transformers makes of tokens and of
texts. See README.md.

The prompts' grammar, cuts and weights are rendered here a second time, from the rules in
src/models/prompt.rs and not from its code.
"""

import json
import os
import random
import re

import torch
import transformers
from make import HERE, Draw, Golden, balance, rounded
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

MERGES = os.path.join(HERE, "../../src/models/clip/merges.txt")


def merge_lines():
    with open(MERGES, encoding="utf-8") as file:
        return file.read().split("\n")[1:]


def tokenizer(count=None):
    """OpenAI's numbering (CLIP, clip/simple_tokenizer.py), with all merges or the first ones."""
    lines = merge_lines()
    merges = [tuple(line.split(" ")) for line in lines if line][:count]
    letters = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    letters = [chr(b) for b in letters] + [chr(256 + i) for i in range(256 - len(letters))]
    tokens = letters + [c + "</w>" for c in letters] + ["".join(m) for m in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=merges)


# Texts

WORDS = [
    "a",
    "an",
    "the",
    "of",
    "in",
    "on",
    "with",
    "photo",
    "painting",
    "cat",
    "dog",
    "mountain",
    "lake",
    "sunset",
    "portrait",
    "woman",
    "man",
    "old",
    "wooden",
    "table",
    "highly\ndetailed",
    "8k",
    "uhd",
    "masterpiece",
    "trending",
    "artstation",
    "Greg",
    "Rutkowski",
    "bokeh",
    "f/1.8",
    "50mm",
    "ISO-100",
    "cinematic",
    "lighting",
    "red",
    "brick\nwall",
    "grass",
    "sky",
    "clouds",
    "seamless",
    "texture",
    "don't",
    "it's",
    "we're",
    "I've",
    "I'm",
    "you'll",
    "he'd",
    "CAN'T",
    "O'Brien",
    "rock'n'roll",
    "1990s",
    "2024",
    "3.14\n1,000,000",
    "007",
    "unreal_engine",
    "snake_case",
    "CamelCase",
    "well-being",
    "(masterpiece:1.2)",
    "[blurry]",
    "<lora:x:0.8>",
    "{a|b}",
    "C++",
    "C#",
    "#tag\n@home",
    "$5",
    "50%",
    "&",
    "©",
    "™",
    "€",
    "£",
    "½",
    "²",
    "x²",
    "naïve",
    "café",
    "Ünïcödé",
    "straße",
    "İstanbul",
    "ß",
    "ǅ",
    "ﬁne",
    "Ωmega",
    "Здравствуй",
    "мир",
    "привет",
    "γειά",
    "σου",
    "κόσμε\nשלום",
    "مرحبا",
    "नमस्ते",
    "สวัสดี",
    "ภาษาไทย",
    "你好世界",
    "猫の写真",
    "東京タワー",
    "한국어",
    "사진",
    "tiếng",
    "Việt",
    "١٢٣",
    "४५६",
    "Ⅷ",
    "①",
    "🙂",
    "🐱\u200d👤",
    "👩\u200d👩\u200d👧\u200d👦",
    "🇩🇪",
    "❤️",
    "🏽",
    "✨",
    "☃\né",
    "ạ̈",
    "ño",
    "ẛ̣",
    "Å",
    "ﬃ",
    "İ",
    "ǅ",
    "&amp;",
    "&lt;b&gt;",
    "&quot;x&quot;",
    "&#39;",
    "&nbsp;",
    "<|startoftext|>\n<|endoftext|>",
    "<|ENDOFTEXT|>",
    "<|endoftext",
    "</w>",
    "ĠHello",
    "Ġ",
    "...",
    "…",
    "--",
    "—",
    "“quoted”",
    "‘single’",
    "’s",
    "''",
    '""',
    "`code`",
    "\\(",
    "\\)",
    "\\\\",
    "/",
    "|",
    "~",
    "^",
    "=",
    "+",
    ";",
    ":",
    "!",
    "?",
    ",\nsupercalifragilisticexpialidocious",
    "antidisestablishmentarianism",
    "aaaaaaaaaaaaaaaaaaaa",
    "zzzzqqqq",
    "xkcdwjv",
    "\ufeff",
    "\u200b",
    "\u200d\n\xad",
    "�",
    "🧿",
    "𠀀",
    "\U0010fffd",
    "\x00",
    "\x07",
    "\x7f",
    "\x85",
    "\xa0",
]
WORDS = [w for word in WORDS for w in word.split("\n")]
BLANKS = [" "] * 12 + [
    "",
    ", ",
    ",",
    "  ",
    "\n",
    "\t",
    "\r\n",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\u0085",
    "\u200b",
]


def texts(draw):
    yield from [
        "",
        " ",
        "\n\t ",
        "a",
        "A",
        "!",
        "<|endoftext|>",
        "'s",
        "s'",
        "'S",
        "\u0301",
        "🙂🙂",
        "0123456789",
        "a" * 1500,
        "word " * 150,
        "!?" * 200,
        "漢字" * 100,
        "(" * 100 + "x" + ")" * 100,
        "e\u0301" * 60,
        "\U0001f600" * 80,
    ]
    lines = merge_lines()
    words = [
        w
        for w in ("".join(line.split(" ")).removesuffix("</w>") for line in lines)
        if w.isascii() and w.isalpha()
    ]
    for _ in range(300):
        yield " ".join(draw.choice(words) for _ in range(draw.randint(6, 12)))
    for _ in range(280):
        yield "".join(draw.choice(WORDS) + draw.choice(BLANKS) for _ in range(draw.randint(1, 12)))
    # Anything at all, a script at a time.
    ranges = [
        (1, 127),
        (1, 255),
        (0x100, 0x24F),
        (0x300, 0x36F),
        (0x370, 0x52F),
        (0x590, 0x6FF),
        (0x900, 0xDFF),
        (0xE00, 0x11FF),
        (0x1E00, 0x22FF),
        (0x2460, 0x2BFF),
        (0x3000, 0x30FF),
        (0x4E00, 0x9FFF),
        (0xAC00, 0xD7A3),
        (0xF900, 0xFFEF),
        (0x1D400, 0x1D7FF),
        (0x1F300, 0x1FAFF),
        (1, 0x10FFFF),
    ]
    for i in range(400):
        low, high = ranges[i % len(ranges)]
        codes = [draw.randint(low, high) for _ in range(draw.randint(1, 24))]
        yield "".join(chr(c) for c in codes if not 0xD800 <= c <= 0xDFFF)


def tokens(file):
    reference = tokenizer()
    assert len(reference) == 49408
    cases = [
        [t, reference(t, add_special_tokens=False)["input_ids"]] for t in texts(random.Random(7))
    ]
    assert len(cases) == 1000
    text = (
        "[\n"
        + ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases)
        + "\n]\n"
    )
    with open(os.path.join(HERE, file), "w", encoding="utf-8") as f:
        f.write(text)
    print(file, len(text.encode()), "bytes")


# Prompts


def parse(prompt):
    """[text, weight] in order; None for a break."""
    value = r":\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*\)"
    tokens = [m[0] for m in re.finditer(rf"\\[()\[\]\\]|{value}|\bBREAK\b|.", prompt, re.DOTALL)]
    out, opened = [], {"(": [], "[": []}

    def multiply(kind, factor):
        start = opened[kind].pop()
        for i in range(start, len(out)):
            out[i][1] *= factor

    for t in tokens:
        number = re.fullmatch(value, t)
        if len(t) == 2 and t[0] == "\\":
            out.append([t[1], 1.0])
        elif t in opened:
            opened[t].append(len(out))
        elif number and opened["("]:
            multiply("(", float(number[1]))
        elif t == ")" and opened["("]:
            multiply("(", 1.1)
        elif t == "]" and opened["["]:
            multiply("[", 1 / 1.1)
        else:
            out.append([None if t == "BREAK" else t, 1.0])
    for kind, factor in (("(", 1.1), ("[", 1 / 1.1)):
        while opened[kind]:
            multiply(kind, factor)
    merged = []
    for text, weight in out:
        weight = torch.tensor(weight, dtype=torch.float32).item()
        if text is None:
            merged.append(None)
        elif merged and merged[-1] and merged[-1][1] == weight:
            merged[-1][0] += text
        else:
            merged.append([text, weight])
    return merged


def chunks(prompt, tok, pad):
    words, all_chunks = [], []
    for part in [*parse(prompt), "end"]:
        if part is None or part == "end":
            if words or (part == "end" and not all_chunks):
                all_chunks += [words[i : i + 75] for i in range(0, max(len(words), 1), 75)]
            words = []
        else:
            words += [(i, part[1]) for i in tok(part[0], add_special_tokens=False)["input_ids"]]
    return [chunk(c, tok, pad) for c in all_chunks]


def chunk(words, tok, pad):
    ids = [tok.bos_token_id] + [i for i, _ in words] + [tok.eos_token_id]
    weights = [1.0] + [w for _, w in words] + [1.0]
    more = 77 - len(ids)
    return ids + [pad] * more, weights + [1.0] * more


def embed(model, tok, pad, prompts):
    cut = [chunks(p, tok, pad) for p in prompts]
    most = max(len(c) for c in cut)
    rows = []
    for c in cut:
        row = []
        for ids, weights in c + [chunk([], tok, pad)] * (most - len(c)):
            z = model(input_ids=torch.tensor([ids])).last_hidden_state.double()
            mean = z.mean()
            if any(w != 1 for w in weights):
                z = z * torch.tensor(weights, dtype=torch.float64)[None, :, None]
                z = z * (mean / z.mean())
            row.append(z)
        rows.append(torch.cat(row, 1))
    return torch.cat(rows)


PROMPTS = [
    ["a cat on the mat", ""],
    ["a (cat) on [the] ((mat:1.3)) and \\(so\\) on", "(blurry:1.5), [bad (hands:0.4)"],
    ["the ant in the inn, " * 12 + "(thin:1.2) tan tin " * 9, "an inn"],
    ["one BREAK (two BREAK three:0.7) four", "BREAKFAST) :1.2) (x:1.2.3) (y: -0.5 ) \\x \\\\ [[z"],
]


# Networks


def network(draw, act, **config):
    config = CLIPTextConfig(hidden_act=act, attn_implementation="eager", **config)
    model = draw.weights(CLIPTextModel(config))
    e = model.embeddings
    e.token_embedding.weight.data = draw.normal(*e.token_embedding.weight.shape)
    e.position_embedding.weight.data = 0.5 * draw.normal(*e.position_embedding.weight.shape)
    rounded(model)
    return model


def networks(file):
    draw, golden, configs = Draw(21), Golden(file), {}
    golden.metadata["transformers"] = transformers.__version__
    small = tokenizer(40)
    size = len(small)
    for name, act, batch, length, prefix, config in (
        (
            "quick",
            "quick_gelu",
            2,
            77,
            "text_model.",
            dict(
                vocab_size=size,
                hidden_size=24,
                intermediate_size=52,
                num_hidden_layers=3,
                num_attention_heads=3,
                max_position_embeddings=77,
            ),
        ),
        (
            "gelu",
            "gelu",
            1,
            19,
            "",
            dict(
                vocab_size=61,
                hidden_size=20,
                intermediate_size=40,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=23,
            ),
        ),
    ):
        model = network(draw, act, bos_token_id=0, eos_token_id=1, pad_token_id=0, **config)
        ids = torch.randint(config["vocab_size"], (batch, length), generator=draw.generator)
        balance(model, lambda: model(input_ids=ids))
        state = {k.removeprefix("text_model."): v for k, v in model.state_dict().items()}
        for key, t in state.items():
            assert torch.equal(t, t.half().float()), key
            golden.add(f"{name}.{prefix}{key}", t.half())
        out = model(input_ids=ids, output_hidden_states=True)
        golden.add(f"golden.{name}.tokens", ids)
        golden.out(f"golden.{name}.last", out.last_hidden_state)
        before = out.hidden_states[-2]
        golden.out(f"golden.{name}.penultimate", before)
        golden.out(f"golden.{name}.penultimate_normed", model.final_layer_norm(before))
        configs[name] = model.config.to_dict() | {"model_type": "clip_text_model"}
        if name == "quick":
            for i, prompts in enumerate(PROMPTS):
                pad = small.eos_token_id if i % 2 == 0 else 0
                golden.out(f"golden.prompts.{i}", embed(model, small, pad, prompts).float())
    golden.metadata["config"] = json.dumps(configs, sort_keys=True)
    golden.metadata["prompts"] = json.dumps(PROMPTS)
    golden.metadata["parts"] = json.dumps([[parse(p) for p in pair] for pair in PROMPTS])
    golden.save()


if __name__ == "__main__":
    networks("clip.safetensors")
    tokens("clip_tokens.json")
