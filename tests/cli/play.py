"""umwelt play in a real terminal and a real browser: keys in, what the world did out.

    python3 play.py terminal|page|refusals|dream BINARY
"""
import fcntl, http.client, json, os, pty, re, select, shutil, signal, struct, subprocess, sys, tempfile, termios, time

LIMIT_S = 60


def fail(text):
    print("FAIL", text)
    sys.exit(1)


def read_until(fd, pattern, limit_s=20.0):
    """Read until a regular expression matches all that came; returns (text, match)."""
    text, end = b"", time.monotonic() + limit_s
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
        found = re.search(pattern, text)
        if found:
            return text, found
    fail(f"no {pattern!r} in {text[-400:]!r}")


# ---- terminal ---------------------------------------------------------------------------------------


def terminal(binary):
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    before = termios.tcgetattr(child)
    process = subprocess.Popen([binary, "play", "two_room", "--rate", "50", "--variation", "agent.position=60,112"],
                               stdin=child, stdout=child, stderr=child, start_new_session=True)
    text, _ = read_until(parent, rb"step 0")
    if b"\x1b[?1049h" not in text or b"\xe2\x96\x80" not in text or b"\x1b[38;2;" not in text:
        fail("no picture in half blocks of 24-bit colour")
    os.write(parent, b"\x1b[C" * 3)  # right
    read_until(parent, rb"step 2\d")
    os.write(parent, b"\x1b[<0;5;20M")  # the mouse, at the left of the world
    read_until(parent, rb"step 4\d")
    os.write(parent, b"r")
    read_until(parent, rb"step [0-9]\b")
    os.write(parent, b"q")
    text, _ = read_until(parent, rb"successes|ticks|\x1b\[\?1049l")
    process.wait(10)
    if process.returncode != 0:
        fail(f"exit {process.returncode}")
    if termios.tcgetattr(child) != before:
        fail("the terminal was left changed")
    # Ctrl-C is a key here and ends it too; a termination restores the screen
    process = subprocess.Popen([binary, "play", "two_room"], stdin=child, stdout=child, stderr=child)
    read_until(parent, rb"step 1")
    process.send_signal(signal.SIGTERM)
    read_until(parent, rb"\x1b\[\?1049l")
    process.wait(10)
    if termios.tcgetattr(child) != before:
        fail("the terminal was left changed by a termination")


# ---- page -------------------------------------------------------------------------------------------


class Served:
    """The command with --page, and its address."""

    def __init__(self, binary, *args):
        self.process = subprocess.Popen([binary, "play", *args, "--page"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        _, found = read_until(self.process.stderr.fileno(), rb"http://127\.0\.0\.1:(\d+)(/[0-9a-f]{32}/)")
        self.port, self.path = int(found[1]), found[2].decode()
        self.url = found[0].decode()

    def ask(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        return r.status, r.read(), dict(r.getheaders())

    def end(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)


def refusals(binary):
    """Who has no key, or comes under another name, gets nothing; bad actions change nothing."""
    s = Served(binary, "two_room")
    try:
        ok, page, _ = s.ask("GET", s.path)
        if ok != 200 or b"<title>umwelt play" not in page or b'"world":"two_room"' not in page:
            fail("no page")
        cases = [("GET", "/", None, {}, 403), ("GET", "/" + "0" * 32 + "/", None, {}, 403),
                 ("POST", s.path + "tick", "0,0", {"Host": f"evil.example:{s.port}"}, 403),
                 ("POST", s.path + "tick", "0,0", {"Origin": "http://evil.example"}, 403),
                 ("GET", s.path + "tick", None, {}, 404), ("POST", s.path + "nothing", "", {}, 404),
                 ("POST", s.path + "tick", "nan,0", {}, 400), ("POST", s.path + "tick", "1,2,3", {}, 400),
                 ("POST", s.path + "tick", "x", {}, 400), ("POST", s.path + "tick", "0," * 4000, {}, 413)]
        for method, path, body, headers, want in cases:
            got, text, _ = s.ask(method, path, body, headers)
            if got != want:
                fail(f"{method} {path[-12:]} {headers} {body and body[:10]}: wanted {want}, got {got} {text[:80]}")
        _, png, head = s.ask("GET", s.path + "picture")
        if not head["X-Status"].startswith("step 0") or png[:8] != b"\x89PNG\r\n\x1a\n":
            fail(f"refused requests moved the world: {head}")
        _, _, head = s.ask("POST", s.path + "tick", "1,-1")
        if not head["X-Status"].startswith("step 1"):
            fail(f"a tick did not: {head}")
        again = subprocess.run([binary, "play", "two_room", "--page", "--port", str(s.port)], capture_output=True)
        if again.returncode == 0 or b"cannot listen" not in again.stderr:
            fail("a taken port is no error")
    finally:
        s.end()
    if s.process.returncode not in (0, 130):
        fail(f"exit {s.process.returncode}")
    with tempfile.TemporaryDirectory(prefix="umwelt-play-") as folder:
        state = os.path.join(folder, "here.state")
        s = Served(binary, "two_room", "--out", state)
        for _ in range(3):
            _, _, head = s.ask("POST", s.path + "tick", "1,0")
        picture = s.ask("GET", s.path + "picture")[1]
        s.ask("POST", s.path + "quit", "")
        s.process.wait(10)
        s = Served(binary, "two_room", "--from", state)
        same, text, head = s.ask("GET", s.path + "picture")
        s.end()
        if not head["X-Status"].startswith("step 3") or text != picture:
            fail(f"a state file does not go on: {head}")
        damaged = os.path.join(folder, "damaged.state")
        with open(state, "rb") as f, open(damaged, "wb") as g:
            g.write(f.read()[:-1])
        for world, args, want in (("pusht", ["--from", state], 5), ("two_room", ["--from", damaged], 4),
                                  ("two_room", ["--from", damaged + "x"], 3), ("two_room", ["--out", state], 1)):
            got = subprocess.run([binary, "play", world, "--page", *args], capture_output=True, timeout=20)
            if got.returncode != want:
                fail(f"play {world} {args}: wanted exit {want}, got {got.returncode} {got.stderr}")
    piped = subprocess.run([binary, "play", "two_room"], capture_output=True, stdin=subprocess.DEVNULL)
    if piped.returncode != 2 or b"--page" not in piped.stderr:
        fail("without a terminal it should point to --page")


def dream(binary):
    """A model (hardly trained) plays beside the world: three panels, its planner drives when asked to."""
    with tempfile.TemporaryDirectory(prefix="umwelt-play-") as folder:
        data, run = os.path.join(folder, "d.uw"), os.path.join(folder, "run")
        for command in (["collect", "two_room", "--episodes", "12", "--steps", "20", "--out", data],
                        ["train", data, "--preset", "two_room", "--steps", "3", "--out", run]):
            subprocess.run([binary, *command, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        s = Served(binary, os.path.join(run, "model.safetensors"), "--data", data, "--size", "64",
                   "--variation", "agent.position=60,112")
        try:
            if b'"panels":3' not in s.ask("GET", s.path)[1]:
                fail("no panel for the dream")
            first = s.ask("GET", s.path + "picture")[1]
            if struct.unpack(">II", first[16:24]) != (3 * 64 + 2 * 4, 64):
                fail("not three panels of 64 pixels")
            pictures = {s.ask("POST", s.path + "tick", "0,1")[1] for _ in range(3)} | {first}
            if len(pictures) != 4:
                fail("nothing moves")
            s.ask("POST", s.path + "wake", "")
            _, _, head = s.ask("POST", s.path + "autopilot", "")
            if "autopilot" not in head["X-Status"]:
                fail(f"the planner does not drive: {head}")
            _, _, head = s.ask("POST", s.path + "tick", "0,0")
            if not head["X-Status"].startswith("step 20"):
                fail(f"five env steps a tick, as the model was trained: {head}")
        finally:
            s.end()


class Browser:
    """A headless Chromium spoken to over its debugging pipe: JSON messages that end in NUL."""

    def __init__(self, program, folder):
        to_r, self.to = os.pipe()
        self.back, back_w = os.pipe()

        def wire():
            os.dup2(to_r, 3), os.dup2(back_w, 4)

        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_r, back_w)]
        for fd in (to_r, back_w):
            os.close(fd)
        to_r, back_w = high
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--disable-dev-shm-usage",
             f"--user-data-dir={folder}", "--no-first-run"], preexec_fn=wire, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_r), os.close(back_w)
        self.text, self.count, self.noise = b"", 0, []

    def call(self, method, session=None, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            while b"\0" in self.text:
                one, self.text = self.text.split(b"\0", 1)
                got = json.loads(one)
                if got.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                    self.noise.append(got)
                if got.get("id") == self.count:
                    if "error" in got:
                        fail(f"{method}: {got['error']}")
                    return got["result"]
            if select.select([self.back], [], [], 0.2)[0]:
                self.text += os.read(self.back, 65536)
        fail(f"{method}: the browser does not answer")


def page(binary):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        print("skip: no chromium")
        sys.exit(77)
    s = Served(binary, "two_room", "--variation", "agent.position=60,112", "--rate", "30")
    folder = tempfile.mkdtemp(prefix="umwelt-play-")
    b = Browser(program, folder)
    try:
        target = b.call("Target.createTarget", url="about:blank")["targetId"]
        at = b.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            b.call(domain + ".enable", at)
        b.call("Page.navigate", at, url=s.url)

        def value(expression):
            return b.call("Runtime.evaluate", at, expression=expression)["result"].get("value")

        def wait_for(expression):
            end = time.monotonic() + LIMIT_S
            while time.monotonic() < end:
                if value(expression):
                    return
                time.sleep(0.05)
            fail(f"never {expression}: {value('document.body.innerHTML')}")

        def key(kind, name):
            b.call("Input.dispatchKeyEvent", at, type=kind, key=name, code=name, windowsVirtualKeyCode=39)

        wait_for("(document.body && document.body.dataset.ticks || 0) > 3")
        still = s.ask("GET", s.path + "picture")[1]
        key("rawKeyDown", "ArrowRight")
        wait_for("document.body.dataset.ticks > 12")
        key("keyUp", "ArrowRight")
        if s.ask("GET", s.path + "picture")[1] == still:
            fail("the arrow moved nothing")
        if value("document.getElementById('picture').naturalWidth") != 2 * 224 + 4:
            fail("the picture is not two panels")
        box = "document.getElementById('picture').getBoundingClientRect()"
        x, y = value(box + ".left") + 10, value(box + ".top") + 10
        moved = s.ask("GET", s.path + "picture")[1]
        for kind in ("mousePressed", "mouseMoved"):
            b.call("Input.dispatchMouseEvent", at, type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
        ticks = int(value("document.body.dataset.ticks"))
        wait_for(f"document.body.dataset.ticks > {ticks + 8}")
        b.call("Input.dispatchMouseEvent", at, type="mouseReleased", x=x, y=y, button="left", clickCount=1)
        if s.ask("GET", s.path + "picture")[1] == moved:
            fail("the mouse moved nothing")
        step = "+document.getElementById('status').textContent.split(' ')[1]"
        before = value(step)
        value("document.getElementById('reset').click()")
        wait_for(f"{step} < {before}")
        key("rawKeyDown", "q")
        wait_for("document.getElementById('status').textContent === 'ended'")
        if b.noise:
            fail(f"the console is not silent: {b.noise[0]}")
        s.process.wait(10)
        if s.process.returncode != 0:
            fail(f"exit {s.process.returncode}")
    finally:
        b.process.kill()
        b.process.wait()
        if s.process.poll() is None:
            s.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    {"terminal": terminal, "page": page, "refusals": refusals, "dream": dream}[sys.argv[1]](sys.argv[2])
    print("ok", sys.argv[1])
