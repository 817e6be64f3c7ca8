# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the dialog of Inpaint shows and what comes of it; knows no GIMP and no toolkit."""

import json
import os
from typing import NamedTuple

import canvas
import fill
import job
import native
import params
import preview

# An image that takes more seconds to grow is shown only if that is asked for.
EXPANDED_AT_ONCE = 4.0


class Asked(NamedTuple):
    """What a fill is asked for with."""

    parameters: dict  # of the library, as text
    output: str
    sample: str

    @property
    def key(self):
        """What a preview depends on."""
        return (tuple(sorted(self.parameters.items())), self.output, self.sample)


class Memory:
    """The settings of the last dialog, in a file of the user's GIMP folder."""

    def __init__(self, folder, name="mend-inpaint.json"):
        self.path = os.path.join(folder, name)

    def read(self):
        """What `write` was given; {} where there is none, or another version's."""
        try:
            with open(self.path, encoding="utf-8") as file:
                stored = json.load(file)
            return stored if isinstance(stored, dict) else {}
        except (OSError, ValueError):
            return {}

    def write(self, stored):
        """Keeps `stored`. A folder that cannot be written keeps nothing: the fill counts for
        more."""
        try:
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(stored, file, indent=1)
            os.replace(self.path + ".new", self.path)
        except OSError:
            pass


class Verdict(NamedTuple):
    """What is to be said of the settings as they are."""

    good: bool  # whether a fill can start
    text: str  # what it would take, or what is wrong
    summary: str  # what the engine that would run is good at
    slow: bool  # whether a preview waits to be asked for
    steps: bool  # whether the engine works in steps


class Panel:
    """The values behind the dialog's widgets."""

    def __init__(self, description, stored, intent=None):
        """`intent`: what the dialog is for, if for one thing only."""
        self.description = description
        # A dialog without intents stores none, and then a prompt decides.
        self.only = intent
        self.prompts = params.with_prompt(stored.get("prompts"), "")
        kept = stored.get("intent")
        self.settings = params.Settings(
            description,
            stored.get("settings"),
            intent or (kept if kept in params.INTENTS else None),
        )
        self._fit_intent()
        self._fit_sides()
        self.output = _one_of(fill.OUTPUTS, stored.get("output"))
        self.sample = _one_of(fill.SAMPLES, stored.get("sample"))

    def _fit_intent(self):
        if self.intent == params.PROMPT and not params.prompted(self.description):
            self.intent = params.REMOVE

    def _fit_sides(self):
        for field in self.settings.fields():
            if field.name == "expand" and self.settings.get(field) == field.default:
                self.settings.set(field, params.SIDES[0])

    @property
    def intent(self):
        """What is wanted; None where nobody was asked."""
        return self.settings.intent

    @intent.setter
    def intent(self, intent):
        self.settings.intent = intent

    def with_intents(self):
        """The dialog asks for one: where none is stored, the values say which it was."""
        if self.intent is None:
            self.intent = params.intent_of(self.description, self.settings.stored())

    def reset(self):
        """Every value back to its default."""
        self.settings.reset()
        self.output, self.sample = fill.OUTPUTS[0][0], fill.SAMPLES[0][0]
        if self.intent is not None:
            self.intent = self.only or params.REMOVE
        self._fit_sides()

    def fields(self, essential):
        """The parameters for the chosen engine: those that are shown at once, or the others."""
        return [field for field in self.settings.fields() if field.essential == essential]

    def for_item(self, item):
        """Leaves only what can be done with this drawable."""
        if not item.is_layer:
            self.output, self.sample = fill.IN_PLACE, fill.LAYER

    def asked(self):
        """The fill that the settings ask for."""
        return Asked(self.settings.parameters(), self.output, self.sample)

    def stored(self):
        """All of it, for `Memory`."""
        stored = {"settings": self.settings.stored(), "output": self.output, "sample": self.sample}
        prompts = params.with_prompt(self.prompts, self.settings.prompt)
        if prompts:
            stored["prompts"] = prompts
        return stored if self.intent is None else dict(stored, intent=self.intent)

    def judge(self, host, inpainter):
        """What a fill would do with these settings, without doing it."""
        engine, asked, slow, steps = self.settings.runs, self.asked(), False, False
        try:
            if self.settings.missing:
                raise fill.Refusal(self.settings.missing)
            plan = self._plan(host, inpainter, asked)
            engine = plan["engine"]
            steps = params.stepwise(self.description, engine)
            most = EXPANDED_AT_ONCE if self.only else preview.LONG
            slow = preview.slow(steps, plan["seconds"], most)
            good, text = True, job.plan_text(plan, self.description) + "."
        except fill.Refusal as refusal:
            good, text = False, str(refusal)
        except native.MendError as error:
            good, text = False, job.sentence(error.message)
        except MemoryError:
            good, text = False, job.NO_MEMORY
        summaries = {e.id: e.summary for e in params.engines(self.description)}
        return Verdict(good, text, summaries.get(engine, ""), slow, steps)

    def _plan(self, host, inpainter, asked):
        if self.only == params.EXPAND:
            return canvas.plan(host, inpainter, *asked)
        return fill.plan(host, inpainter, *asked)


def _one_of(pairs, value):
    return value if value in dict(pairs) else pairs[0][0]
