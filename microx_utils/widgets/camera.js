// The browser's half of the camera: takes pictures, sends them to the kernel one at a time, and draws what it answers.

const WIDEST = 640; // px of a picture that is sent
const PATIENCE = 8000; // ms without an answer after which the reader is told
const SECONDS = 10; // of the timeline
const FRAME = 1000 / 30; // ms between pictures of a file
const OWN = ""; // the source that is the camera, not a file

const REFUSED = {
  NotAllowedError:
    "Permission refused. Allow the camera by the sign in the address bar, then start again; or choose a file as camera.",
  NotFoundError: "No camera was found. Plug one in and start again, or choose a file as camera.",
  NotReadableError: "The camera can't be read. Is another program using it? Close that and start again.",
};
const INSECURE =
  "This page has no access to cameras: browsers give it to pages on this computer (localhost) and by https only. " +
  "Run Jupyter on this computer, or choose a file as camera.";

function make(tag, parts = [], properties = {}, style = "") {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.style.cssText = style;
  made.append(...parts);
  return made;
}

function bars(title, names, colours) {
  const rows = names.map((name) => {
    const bar = make("div", [], {}, `height:0.8em;width:0;background:${colours[name]}`);
    const share = make("td", [], {}, "text-align:right;width:3em");
    const head = make("th", [name.replaceAll("_", " ")], { scope: "row" }, "text-align:left;font-weight:normal;white-space:nowrap;width:7.5em");
    const place = make("td", [make("div", [bar], {}, "background:#eceef0")], {}, "width:9em");
    return { row: make("tr", [head, place, share]), bar, share };
  });
  const caption = make("caption", [title], {}, "caption-side:top;text-align:left;font-weight:600");
  const table = make("table", [caption, make("tbody", rows.map(({ row }) => row))], {}, "line-height:1.3;margin:0");
  const show = (values) =>
    rows.forEach(({ bar, share }, k) => {
      bar.style.width = values ? `${100 * values[k]}%` : "0";
      share.textContent = values ? `${Math.round(100 * values[k])}%` : "–";
    });
  show(null);
  return { table, caption, show };
}

function render({ model, el }) {
  const emotions = model.get("emotions"), components = model.get("components"), colours = model.get("colours");
  const points = model.get("points");
  el.dataset.lmSuppressShortcuts = "true"; // or JupyterLab takes the keys

  const options = [make("option", ["my camera"], { value: OWN })];
  options.push(...model.get("files").map((name) => make("option", [name], { value: name })));
  const source = make("select", options);
  const start = make("button", ["start"], { type: "button" });
  const neutral = make("button", ["this is my neutral face"], { type: "button", disabled: true });
  const mirror = make("input", [], { type: "checkbox", checked: true });
  const label = (text, control) => make("label", [text, " ", control], {}, "white-space:nowrap");
  const controls = [label("picture from", source), start, neutral, label("mirror", mirror)];
  const top = make("div", controls, {}, "display:flex;flex-wrap:wrap;gap:0.4em 1em;align-items:center");
  const status = make("p", [], {}, "min-height:2.6em;margin:0.3em 0;line-height:1.3");
  status.setAttribute("role", "status");

  const screen = make("canvas", [], { width: 480, height: 360 }, "width:100%;display:block;background:#404040");
  screen.setAttribute("role", "img");
  screen.setAttribute("aria-label", "the picture, with landmarks and the components' boxes");
  const past = make("canvas", [], { width: 480, height: 56 }, "width:100%;height:56px;display:block");
  past.setAttribute("role", "img");
  past.setAttribute("aria-label", `the answer over the last ${SECONDS} seconds, each emotion in its bar's colour`);
  const ends = make("div", [make("span", [`${SECONDS} s ago`]), make("span", ["now"])], {}, "display:flex");
  ends.style.justifyContent = "space-between";
  const answer = bars("answer", emotions, colours), weights = bars("weights", components, colours);
  const speed = make("p", [], {}, "margin:0.3em 0");
  const left = make("div", [screen, past, ends], {}, "flex:1 1 20em;min-width:16em;max-width:480px");
  const right = make("div", [answer.table, weights.table, speed], {}, "flex:0 1 18em");
  const body = make("div", [left, right], {}, "display:flex;flex-wrap:wrap;gap:0.5em 1.5em;align-items:flex-start");
  el.append(make("div", [top, status, body], {}, "max-width:60em"));

  const video = make("video", [], { muted: true, playsInline: true });
  const taken = make("canvas"); // the picture that the kernel is looking at
  let running = 0; // counts starts: what belongs to an earlier one is left alone; 0 while stopped
  let starts = 0, waiting = null, leftOut = 0, looked = 0, began = 0, media = null, timer = null, history = [];

  function say(words) {
    if (status.textContent !== words) status.textContent = words;
  }

  function stop(words = "") {
    running = 0;
    waiting = null;
    clearInterval(timer);
    media?.getTracks().forEach((track) => track.stop()); // the camera's light goes out
    media = video.srcObject = null;
    start.textContent = "start";
    neutral.disabled = true;
    say(words);
  }

  async function begin() {
    const mine = (running = ++starts);
    [waiting, leftOut, looked, history] = [null, 0, 0, []];
    start.textContent = "stop";
    say(source.value === OWN ? "Starting … Allow the camera if the browser asks." : "Starting …");
    model.send({ kind: "start" });
    if (source.value === OWN && !(await open(mine))) return;
    if (running !== mine) return;
    neutral.disabled = false;
    began = performance.now();
    if (source.value === OWN) watch(mine);
    else timer = setInterval(() => turn(() => ask({ kind: "file", file: source.value })), FRAME);
  }

  async function open(mine) {
    if (!navigator.mediaDevices?.getUserMedia) {
      stop(INSECURE);
      return false;
    }
    try {
      const wanted = { width: { ideal: WIDEST }, frameRate: { ideal: 30 } };
      const found = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      if (running !== mine) { // stopped meanwhile
        found.getTracks().forEach((track) => track.stop());
        return false;
      }
      media = found;
      for (const track of media.getTracks())
        track.addEventListener("ended", () => {
          if (running === mine) stop("The camera sends no more pictures: it was unplugged, or its permission taken back.");
        });
      video.srcObject = media;
      await video.play();
      return true;
    } catch (error) {
      if (running === mine) stop(REFUSED[error.name] ?? `The camera can't be used: ${error.name}: ${error.message}`);
      return false;
    }
  }

  function watch(mine) {
    let last = -1;
    const next = () => (video.requestVideoFrameCallback ?? requestAnimationFrame).call(
      video.requestVideoFrameCallback ? video : window, look);
    function look() {
      if (running !== mine) return;
      if (video.currentTime !== last) turn(take);
      last = video.currentTime;
      next();
    }
    next();
  }

  /** Give the kernel its next picture, unless it still has one: then this one is left out. */
  function turn(send) {
    if (waiting === null) send();
    else {
      leftOut += 1;
      if (performance.now() - waiting > PATIENCE)
        say("The kernel does not answer. It is busy with another cell, or was restarted: then run this cell again.");
    }
  }

  function ask(content, buffers = []) {
    waiting = performance.now();
    model.send({ ...content, start: running, time: (waiting - began) / 1000 }, undefined, buffers);
  }

  function take() {
    const scale = Math.min(1, WIDEST / video.videoWidth), mine = running;
    taken.width = Math.round(video.videoWidth * scale);
    taken.height = Math.round(video.videoHeight * scale);
    taken.getContext("2d").drawImage(video, 0, 0, taken.width, taken.height);
    waiting = performance.now();
    taken.toBlob(async (blob) => {
      const bytes = await blob.arrayBuffer();
      if (running === mine) ask({ kind: "frame" }, [bytes]);
    }, "image/jpeg", 0.8);
  }

  async function heard(message, buffers) {
    if (message.kind === "error") {
      stop(message.words);
      return;
    }
    if (message.kind !== "moment" || message.start !== running) return;
    const mine = running;
    const picture = buffers.length ? await createImageBitmap(new Blob([buffers[0]], { type: "image/jpeg" })) : taken;
    if (running !== mine) return;
    draw(picture, message);
    looked += 1;
    waiting = null;
    say(message.words.join(" "));
    const best = message.answer ? message.answer.indexOf(Math.max(...message.answer)) : -1;
    answer.caption.textContent = best < 0 ? "answer" : `answer: ${emotions[best]}`;
    answer.show(message.answer);
    weights.show(message.weights);
    const rate = `${Math.round(message.rate)} frames/s, ${Math.round(message.milliseconds)} ms each in the kernel`;
    speed.textContent = `${rate}, ${leftOut} left out`;
    Object.assign(el.dataset, { looked, leftOut, problems: message.problems.join(",") }); // for tests
  }

  function draw(picture, { landmarks, boxes, weights: thick, answer: shares, time }) {
    if (screen.width !== picture.width || screen.height !== picture.height)
      Object.assign(screen, { width: picture.width, height: picture.height });
    const pen = screen.getContext("2d");
    pen.save();
    if (mirror.checked) pen.transform(-1, 0, 0, 1, screen.width, 0);
    pen.drawImage(picture, 0, 0);
    const size = screen.width / 480;
    boxes.forEach((box, k) => {
      if (thick[k] <= 0.02) return;
      pen.strokeStyle = colours[components[k]];
      pen.lineWidth = (1 + 8 * thick[k]) * size;
      pen.beginPath();
      box.forEach(([x, y]) => pen.lineTo(x, y));
      pen.closePath();
      pen.stroke();
    });
    landmarks.forEach(([x, y], k) => {
      pen.fillStyle = points[k];
      pen.strokeStyle = "#ffffff";
      pen.lineWidth = 0.7 * size;
      pen.beginPath();
      pen.arc(x, y, 1.6 * size, 0, 7);
      pen.fill();
      pen.stroke();
    });
    pen.restore();
    history.push({ time, shares });
    while (history[0].time < time - SECONDS) history.shift();
    drawPast(time);
  }

  function drawPast(now) {
    const pen = past.getContext("2d"), at = (time) => past.width * (1 - (now - time) / SECONDS);
    pen.fillStyle = "#ececec";
    pen.fillRect(0, 0, past.width, past.height);
    history.forEach(({ time, shares }, k) => {
      if (!shares) return;
      const from = at(k ? Math.max(history[k - 1].time, time - 1) : time - FRAME / 1000);
      let bottom = past.height;
      shares.forEach((share, which) => {
        pen.fillStyle = colours[emotions[which]];
        pen.fillRect(from, bottom - share * past.height, at(time) - from + 0.5, share * past.height);
        bottom -= share * past.height;
      });
    });
  }

  start.addEventListener("click", () => (running ? stop("Stopped.") : begin()));
  source.addEventListener("change", () => {
    mirror.checked = source.value === OWN;
    if (running) stop("Stopped, since another source was chosen.");
  });
  neutral.addEventListener("click", () => model.send({ kind: "neutral" }));
  model.on("msg:custom", heard);
  say("Nothing is running.");
  return () => {
    stop();
    model.off("msg:custom", heard);
  };
}

export default { render };
