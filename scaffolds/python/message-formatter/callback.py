"""A short mail: what came of the build, who changed something, and the end of the log that tells why it failed."""

from campanile import links, words

# How much of the log goes into the mail.
LOG_LINES = 20


def render(name, build, result, status):
    """Subject and body of the mail about one build."""
    lines = [f"{name} #{build.id.number}: {result}"]
    url = links.build_url(build, status)
    if url is not None:
        lines.append(url)
    lines.append(f"Changes by: {', '.join(build.responsible_users)}")
    lines += log_end(build, status)
    # A header is one line.
    subject = " ".join(f"[{result}] {name} #{build.id.number}".split())
    return subject, "\n".join(lines) + "\n"


def log_end(build, status):
    """The last lines of the failed step's first log; none without a log that can be read."""
    for step in build.steps:
        if step.results is None or words.result(step.results) not in ("failure", "exception"):
            continue
        for log in step.logs[:1]:
            text = status.log_tail(build.id, step.name, log.name, LOG_LINES)
            if text is not None:
                return ["", f"{log.name} of step {step.name} ends with:", "", text]
        break
    return []
