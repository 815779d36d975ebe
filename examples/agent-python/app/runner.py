"""Plans a task, runs its steps with the tools, and writes the answer.

The planner is a set of rules, where a larger agent would ask a language model:
it splits the task into clauses, and each clause goes to the first tool of
config/tools.json whose pattern fits. All of it is read from files at start.
"""

import json
import pathlib
import re
import string

import tools

FIELDS = {"maxSteps": int, "maxTask": int, "knowledge": str, "leastShare": float, "drainSeconds": float}


def load_config(file):
    """Reads the configuration; unknown, missing and ill-typed fields are errors."""
    config = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    if not isinstance(config, dict) or set(config) != set(FIELDS):
        raise ValueError("%s: want exactly the fields %s" % (file, ", ".join(sorted(FIELDS))))
    for name, kind in FIELDS.items():
        value = config[name]
        allowed = (int, float) if kind is float else kind
        if isinstance(value, bool) or not isinstance(value, allowed) or value in (0, ""):
            raise ValueError("%s: %s is not a proper %s" % (file, name, kind.__name__))
    return config


class Runner:
    """Runs tasks. Nothing changes after it was made, so threads may share it."""

    def __init__(self, config, directory="."):
        directory = pathlib.Path(directory)
        self.config = config
        knowledge = tools.Knowledge(directory / config["knowledge"], config["leastShare"])
        functions = {"calculator": tools.calculate, "dates": tools.dates, "knowledge": knowledge.lookup}
        self.tools = []  # (name, pattern, function), the first that fits is used
        for entry in json.loads((directory / "config/tools.json").read_text(encoding="utf-8")):
            name = entry["name"]
            self.tools.append((name, re.compile(entry["match"], re.I), functions[name]))
        self.prompt = string.Template((directory / "prompt/answer.txt").read_text(encoding="utf-8"))

    def plan(self, task):
        """Returns the clauses of a task, each with the tool that fits."""
        clauses = re.split(r"[?;.!]+(?:\s+|$)|\n+|,?\s+(?:and\s+)?then\s+", task)
        steps = []
        for clause in filter(None, (clause.strip() for clause in clauses)):
            for name, pattern, function in self.tools:
                if pattern.search(clause):
                    steps.append((clause, name, function))
                    break
        return steps

    def run(self, task):
        """Runs a task and returns its steps, result and success.

        It stops at the first step that fails, since later ones may build on it.
        """
        planned = self.plan(task)
        steps, previous = [], None
        error = None if planned else "there is nothing to do in the task"
        if len(planned) > self.config["maxSteps"]:
            planned, error = [], "the task has more than %d steps" % self.config["maxSteps"]
        for number, (goal, name, function) in enumerate(planned, 1):
            step = {"step": number, "goal": goal, "tool": name, "arguments": {}, "ok": True}
            steps.append(step)
            try:
                step["arguments"], previous = function(goal, previous)
                step["result"] = previous
            except tools.ToolError as failure:
                error = "%s: %s" % (name, failure)
                step.update(ok=False, error=str(failure))
                break
        findings = [step["goal"] + ": " + step["result"] for step in steps if step["ok"]]
        if error:
            findings.append("I could not finish, " + error + ".")
        result = self.prompt.substitute(steps=len(steps), findings="\n".join(findings)).strip()
        return {"steps": steps, "toolCalls": len(steps), "result": result, "success": error is None}
