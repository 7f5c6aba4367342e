// Paint strokes of known color on a photo. Props: src (the picture shown), width and height (of the photo, in its own
// pixels), name (of its file), value (the strokes: [{points: [[x, y], ...], radius, color or protect, reach, influence}], in
// the photo's pixels), note (words about them), lacks (tools that the network can't use), mask and suggestions (answers to
// events). Events: input, when the strokes have changed; edit, to ask for the mask of a stroke; select, for colors of a
// thing; upload, a file of strokes.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d");
const find = (name) => element.querySelector(`[name=${name}]`);
const picker = find("color"), brush = find("brush"), reach = find("reach"), influence = find("influence");
const picture = new Image();
const offers = element.querySelector(".suggestions"), reference = element.querySelector(".reference");
const shown = reference.querySelector("img"), sheet = document.createElement("canvas"); // the other picture, and its pixels
const RECENT = 6;
const LOST = 3000; // ms after which a question is asked again
const TRIES = 4;
let tool = "paint"; // paint, protect, pick, select or suggest
let stroke = null; // the one being painted
let hover = null; // where the brush is, in the photo's pixels
let chosen = -1; // the selected stroke
let undone = []; // values to redo, the next one last
let done = []; // values to undo, the last one last
let known = null; // the value that this script set itself: another one came from outside
let view = { zoom: 1, x: 0.5, y: 0.5 }; // and the place, in shares of the photo, in the middle of the canvas
let recent = [];
let panning = null;
let question = null; // for a mask, not answered yet: { n: when it was asked, about: the stroke as JSON }
let patience = 0; // the timer until it counts as lost
let thing = null; // the mask of the stroke in work: { image, stroke }
let there = [0, 0]; // the place in the other picture of which the color was taken
let offered = 0; // the last question for suggestions
const fingers = new Map();

const strokes = () => props.value || [];
const ready = () => props.width > 0 && canvas.clientWidth > 0;

// Where the photo lies on the canvas, in CSS pixels.
function frame() {
    const fit = Math.min(canvas.clientWidth / props.width, canvas.clientHeight / props.height);
    const scale = fit * view.zoom;
    return {
        scale,
        left: canvas.clientWidth / 2 - view.x * props.width * scale,
        top: canvas.clientHeight / 2 - view.y * props.height * scale,
    };
}

// The slider's steps grow by a constant factor: 0.5% to 12% of the short side.
const radius = () => Math.min(props.width, props.height) * 0.005 * Math.pow(24, brush.value / 100);
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

function place(event) {
    const box = canvas.getBoundingClientRect();
    const { scale, left, top } = frame();
    const x = (event.clientX - box.left - left) / scale;
    const y = (event.clientY - box.top - top) / scale;
    return [clamp(x, 0, props.width), clamp(y, 0, props.height)];
}

function zoomBy(factor, at) {
    const zoom = clamp(view.zoom * factor, 1, 16);
    const { scale, left, top } = frame();
    const [px, py] = at || [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const ratio = zoom / view.zoom; // the place under the pointer stays where it is
    view.x += ((px - canvas.clientWidth / 2) / (props.width * scale)) * (1 - 1 / ratio);
    view.y += ((py - canvas.clientHeight / 2) / (props.height * scale)) * (1 - 1 / ratio);
    view.zoom = zoom;
    keepInside();
}

function panBy(dx, dy) {
    const { scale } = frame();
    view.x -= dx / (props.width * scale);
    view.y -= dy / (props.height * scale);
    keepInside();
}

function keepInside() {
    if (view.zoom === 1) view = { zoom: 1, x: 0.5, y: 0.5 };
    view.x = clamp(view.x, 0, 1);
    view.y = clamp(view.y, 0, 1);
    draw();
}

function line(points, width, color) {
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = width;
    pen.strokeStyle = color;
    pen.beginPath();
    pen.moveTo(...points[0]);
    points.forEach((p) => pen.lineTo(...p));
    pen.lineTo(...points[points.length - 1]); // a single point is a dot
    pen.stroke();
}

function draw() {
    if (!ready()) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const { scale, left, top } = frame();
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * left, ratio * top);
    if (picture.complete && picture.naturalWidth) pen.drawImage(picture, 0, 0, props.width, props.height);
    if (thing) pen.drawImage(thing.image, 0, 0, props.width, props.height);
    // What is done shrinks to a thin line, so that the colors below can be seen.
    strokes().forEach((s, k) => {
        if (!s.points.length) return;
        const more = k === chosen ? 4 : 0;
        pen.setLineDash(s.protect ? [6 / scale, 6 / scale] : []);
        line(s.points, (7 + more) / scale, "rgba(0,0,0,.55)");
        line(s.points, (5 + more) / scale, k === chosen ? "#0d9488" : "white");
        if (!s.protect) line(s.points, 3 / scale, s.color);
        pen.setLineDash([]);
    });
    if (stroke) line(stroke.points, 2 * stroke.radius, stroke.protect ? "rgba(255,255,255,.6)" : stroke.color);
    if (hover && tool !== "select") {
        for (const [width, color] of [[3, "rgba(0,0,0,.6)"], [1.5, "white"]]) {
            pen.lineWidth = width / scale;
            pen.strokeStyle = color;
            pen.beginPath();
            pen.arc(...hover, tool === "pick" || tool === "suggest" ? 6 / scale : radius(), 0, 2 * Math.PI);
            pen.stroke();
        }
    }
    canvas.dataset.strokes = JSON.stringify(strokes());
    const act = (name, on) => { element.querySelector(`[data-act=${name}]`).disabled = !on; };
    act("undo", done.length || strokes().length);
    act("redo", undone.length);
    act("clear", strokes().length);
    act("save", strokes().length);
    act("remove", chosen >= 0);
}

function set(value) {
    known = JSON.stringify(value);
    props.value = value;
    if (chosen >= value.length) chosen = -1;
    draw();
    trigger("input");
    if (chosen >= 0) askMask(); // the selected stroke is another one now
}

function change(value) {
    done.push(strokes());
    undone = [];
    offer([]);
    set(value);
}

function undo() {
    offer([]);
    if (!done.length && !strokes().length) return;
    undone.push(strokes());
    chosen = -1;
    set(done.length ? done.pop() : strokes().slice(0, -1)); // strokes that came from elsewhere go one by one
}

function redo() {
    if (!undone.length) return;
    done.push(strokes());
    set(undone.pop());
}

function remove() {
    if (chosen < 0) return;
    const value = strokes().filter((_, k) => k !== chosen);
    chosen = -1;
    change(value);
}

// What is chosen for the next stroke acts on the selected one, too.
function revise(more) {
    if (chosen < 0) return;
    change(strokes().map((s, k) => {
        if (k !== chosen) return s;
        const { ab, ...rest } = s;
        return { ...("color" in more ? rest : s), ...more };
    }));
}

function choose(color, act = true) {
    picker.value = color;
    for (const b of element.querySelectorAll("[data-color]")) {
        b.setAttribute("aria-pressed", b.dataset.color === color);
    }
    if (act && tool !== "select") use("paint");
    if (act && chosen >= 0 && !strokes()[chosen].protect) revise({ color });
}

function remember(color) {
    recent = [color, ...recent.filter((c) => c !== color)].slice(0, RECENT);
    const last = element.querySelector("[data-group='Last used']");
    last.replaceChildren(...recent.map((c) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.color = c;
        button.innerHTML = "<i></i>";
        button.firstChild.style.background = c;
        button.append(c);
        return button;
    }));
}

function use(name) {
    tool = name;
    if (name !== "suggest") offer([]);
    if (name !== "select") chosen = -1;
    thing = null;
    for (const b of element.querySelectorAll("[data-tool]")) b.setAttribute("aria-pressed", b.dataset.tool === name);
    canvas.style.cursor = name === "select" ? "pointer" : "crosshair";
    draw();
}

function leaveOut() { // what the network can't do
    const lacks = props.lacks || [];
    find("influence").closest("label").hidden = lacks.includes("influence");
    element.querySelector("[data-tool=suggest]").hidden = lacks.includes("suggest");
    if (lacks.includes("influence")) influence.checked = false;
    if (lacks.includes("suggest") && tool === "suggest") use("paint");
}

function pick([x, y]) {
    const { scale, left, top } = frame();
    const ratio = window.devicePixelRatio || 1;
    hover = null;
    const shown = props.value;
    props.value = []; // without the strokes that lie on the picture
    draw();
    const [r, g, b] = pen.getImageData((left + x * scale) * ratio, (top + y * scale) * ratio, 1, 1).data;
    props.value = shown;
    draw();
    choose("#" + [r, g, b].map((v) => v.toString(16).padStart(2, "0")).join(""));
}

function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(strokes(), null, 1)], { type: "application/json" }));
    link.download = `${(props.name || "photo").replace(/\.[^.]*$/, "")}.hints.json`;
    link.click();
    URL.revokeObjectURL(link.href);
}

// Another picture, of which colors are taken; it stays in the browser.
async function borrow(file) {
    let bitmap;
    try {
        bitmap = await createImageBitmap(file);
    } catch {
        return say(`${file.name} is not a picture that this browser can show.`);
    }
    const scale = Math.min(1, 640 / Math.max(bitmap.width, bitmap.height));
    [sheet.width, sheet.height] = [bitmap.width * scale, bitmap.height * scale].map((v) => Math.max(Math.round(v), 1));
    sheet.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0, sheet.width, sheet.height);
    shown.src = sheet.toDataURL("image/jpeg", 0.9);
    there = [sheet.width / 2, sheet.height / 2];
    reference.hidden = false;
    shown.focus();
}

function take(x, y) {
    there = [clamp(x, 0, sheet.width), clamp(y, 0, sheet.height)];
    const size = 3; // the mean of a few pixels: single ones are grain
    const left = clamp(Math.round(there[0]) - 1, 0, Math.max(sheet.width - size, 0));
    const top = clamp(Math.round(there[1]) - 1, 0, Math.max(sheet.height - size, 0));
    const { data } = sheet.getContext("2d").getImageData(left, top, size, size);
    const mean = [0, 1, 2].map((k) => data.filter((_, i) => i % 4 === k).reduce((sum, v) => sum + v, 0) / (size * size));
    choose("#" + mean.map((v) => Math.round(v).toString(16).padStart(2, "0")).join(""));
}

function say(words) {
    const note = element.querySelector(".note");
    note.textContent = words;
    note.hidden = !words;
}

function nearest([x, y]) {
    let best = -1, closest = 14 / frame().scale;
    strokes().forEach((s, k) => {
        s.points.forEach((p, i) => {
            const q = s.points[i + 1] || p, dx = q[0] - p[0], dy = q[1] - p[1];
            const t = clamp(((x - p[0]) * dx + (y - p[1]) * dy) / Math.max(dx * dx + dy * dy, 1e-9), 0, 1);
            const distance = Math.hypot(x - p[0] - t * dx, y - p[1] - t * dy);
            if (distance <= closest) [closest, best] = [distance, k];
        });
    });
    return best;
}

function select(k) {
    chosen = k;
    if (k >= 0) {
        const s = strokes()[k];
        if (s.color) choose(s.color, false);
        reach.value = s.reach || 0;
        influence.checked = !!s.influence;
        askMask();
    } else thing = null;
    draw();
}

// The stroke whose mask is to be seen.
const inWork = () => stroke || strokes()[chosen] || null;

// One question at a time: what changed meanwhile is asked when the last is answered, or was lost.
function askMask(tries = 1) {
    const s = inWork();
    if (!s || !s.points.length || question || tries > TRIES) return;
    question = { n: Date.now(), about: JSON.stringify(s) };
    trigger("edit", { stroke: JSON.parse(question.about), n: question.n });
    clearTimeout(patience);
    patience = setTimeout(() => {
        question = null;
        askMask(tries + 1);
    }, LOST * tries);
}

function showMask() {
    const answer = props.mask || {};
    if (!question || answer.n !== question.n) return;
    const { about } = question;
    question = null;
    clearTimeout(patience);
    const s = inWork();
    if (!s) return;
    if (JSON.stringify(s) !== about) askMask(); // it went on meanwhile, or is another one
    if (!answer.url) return;
    const alpha = new Image();
    alpha.onload = () => {
        const layer = document.createElement("canvas");
        [layer.width, layer.height] = [alpha.naturalWidth, alpha.naturalHeight];
        const brush = layer.getContext("2d");
        brush.globalAlpha = 0.6;
        brush.fillStyle = s.color || "white";
        brush.fillRect(0, 0, layer.width, layer.height);
        brush.globalAlpha = 1;
        brush.globalCompositeOperation = "destination-in";
        brush.drawImage(alpha, 0, 0);
        thing = { image: layer };
        canvas.dataset.mask = answer.n;
        draw();
    };
    alpha.src = answer.url;
}

// Colors for one thing, as small pictures to choose from.
function askColors(at) {
    offered = Date.now();
    offer([], "Looking…");
    trigger("select", { stroke: { points: [at], radius: radius(), reach: +reach.value }, n: offered });
}

function offer(list, words = "") {
    offers.hidden = !list.length && !words;
    offers.replaceChildren(...list.map(({ stroke: s, url }, k) => {
        const button = document.createElement("button");
        button.type = "button";
        button.setAttribute("aria-label", `Color ${k + 1}, ${s.color}`);
        const image = document.createElement("img");
        [image.src, image.alt] = [url, ""];
        button.append(image);
        button.addEventListener("click", () => { remember(s.color); change([...strokes(), s]); });
        return button;
    }));
    if (words) offers.textContent = words;
}

function begin(at) {
    const common = { points: [at], radius: radius(), reach: +reach.value };
    stroke = tool === "protect"
        ? { ...common, protect: true }
        : { ...common, color: picker.value, influence: influence.checked };
    thing = null;
    askMask();
    draw();
}

function finish() {
    const one = stroke;
    stroke = null;
    if (one.color) remember(one.color);
    change([...strokes(), one]);
}

canvas.addEventListener("pointerdown", (event) => {
    if (!ready() || event.button > 1) return;
    event.preventDefault();
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (event.button === 1 || canvas.dataset.space || fingers.size > 1) {
        stroke = null;
        panning = [event.clientX, event.clientY];
    } else if (tool === "pick") pick(place(event));
    else if (tool === "select") select(nearest(place(event)));
    else if (tool === "suggest") askColors(place(event));
    else begin(place(event));
});
canvas.addEventListener("pointermove", (event) => {
    if (!ready()) return;
    if (fingers.size > 1 && fingers.has(event.pointerId)) {
        const middle = (points) => [0, 1].map((k) => points.reduce((sum, p) => sum + p[k], 0) / points.length);
        const spread = (points) => Math.hypot(points[0][0] - points[1][0], points[0][1] - points[1][1]);
        const before = [...fingers.values()];
        fingers.set(event.pointerId, [event.clientX, event.clientY]);
        const after = [...fingers.values()], box = canvas.getBoundingClientRect(), from = middle(before);
        zoomBy(spread(after) / Math.max(spread(before), 1), [from[0] - box.left, from[1] - box.top]);
        panBy(middle(after)[0] - from[0], middle(after)[1] - from[1]);
        return;
    }
    if (panning) {
        panBy(event.clientX - panning[0], event.clientY - panning[1]);
        panning = [event.clientX, event.clientY];
        return;
    }
    hover = event.pointerType === "mouse" ? place(event) : null;
    if (stroke) { stroke.points.push(place(event)); askMask(); }
    draw();
});
function lift(event) {
    fingers.delete(event.pointerId);
    if (!fingers.size) panning = null;
    if (event.type === "pointerup" && stroke) finish();
    else { stroke = null; draw(); }
}
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
canvas.addEventListener("pointerleave", () => { if (!stroke) hover = null; draw(); });
canvas.addEventListener("wheel", (event) => {
    if (!ready()) return;
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    zoomBy(Math.pow(1.0015, -event.deltaY), [event.clientX - box.left, event.clientY - box.top]);
}, { passive: false });

element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.color) choose(button.dataset.color);
    if (button.dataset.tool) use(button.dataset.tool);
    const acts = {
        undo, redo, remove, save, clear: () => { chosen = -1; change([]); }, load: () => find("strokes").click(),
        borrow: () => find("reference").click(), close: () => { reference.hidden = true; canvas.focus(); },
    };
    acts[button.dataset.act]?.();
});
element.addEventListener("keydown", (event) => {
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (command && key === "z") (event.shiftKey ? redo : undo)();
    else if (command && key === "y") redo();
    else if (command || event.altKey) return;
    else if (event.target === canvas && ready()) {
        const arrows = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
        const step = (event.shiftKey ? 0.05 : 0.01) * Math.min(props.width, props.height);
        if (arrows[key]) {
            const [x, y] = hover || [props.width / 2, props.height / 2];
            hover = [clamp(x + arrows[key][0] * step, 0, props.width), clamp(y + arrows[key][1] * step, 0, props.height)];
            if (stroke) { stroke.points.push(hover); askMask(); }
            draw();
        } else if (key === "enter") { // puts the brush down, and lifts it
            const at = hover || [props.width / 2, props.height / 2];
            if (tool === "pick") pick(at);
            else if (tool === "select") select(nearest(at));
            else if (tool === "suggest") askColors(at);
            else if (stroke) finish();
            else begin(at);
        } else if (key === "escape") { stroke = null; offer([]); select(-1); }
        else if (key === "delete" || key === "backspace") remove();
        else if (key === "[" || key === "]") { brush.value = +brush.value + (key === "]" ? 8 : -8); draw(); }
        else if (key === "+" || key === "=") zoomBy(1.5);
        else if (key === "-") zoomBy(1 / 1.5);
        else if (key === "0") zoomBy(1e-9);
        else if (key === " ") canvas.dataset.space = "1";
        else return;
    } else return;
    event.preventDefault();
});
element.addEventListener("keyup", (event) => { if (event.key === " ") delete canvas.dataset.space; });
shown.addEventListener("click", (event) => {
    const box = shown.getBoundingClientRect();
    take(((event.clientX - box.left) / box.width) * sheet.width, ((event.clientY - box.top) / box.height) * sheet.height);
});
shown.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    const far = Math.max(sheet.width, sheet.height) * (event.shiftKey ? 0.1 : 0.02);
    take(there[0] + step[0] * far, there[1] + step[1] * far);
    event.preventDefault();
});
find("strokes").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) trigger("upload", { text: await file.text(), name: file.name });
});
find("reference").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) borrow(file);
});
find("group").addEventListener("change", (event) => {
    for (const group of element.querySelectorAll("[data-group]")) {
        group.hidden = group.dataset.group !== event.target.value;
    }
});
picker.addEventListener("input", () => choose(picker.value, false));
picker.addEventListener("change", () => choose(picker.value));
reach.addEventListener("change", () => revise({ reach: +reach.value }));
influence.addEventListener("change", () => revise({ influence: influence.checked }));
picture.addEventListener("load", () => { if (chosen < 0 && !stroke) thing = null; draw(); });
watch("src", () => { picture.src = props.src; });
watch("note", () => say(props.note));
watch("lacks", leaveOut);
watch("mask", showMask);
watch("suggestions", () => {
    const { n, offers: list, words } = props.suggestions || {};
    if (n && n === offered) offer(list, words);
});
watch(["width", "height"], () => { view = { zoom: 1, x: 0.5, y: 0.5 }; draw(); });
watch("value", () => {
    if (JSON.stringify(strokes()) !== known) { // another photograph; or an alternative was taken, or a file loaded
        done = strokes().length && known ? [...done, JSON.parse(known)] : [];
        known = JSON.stringify(strokes());
        undone = [];
        chosen = -1;
        thing = null;
        offer([]);
    }
    draw();
});
new ResizeObserver(draw).observe(canvas); // also when its tab is opened
choose(picker.value, false);
use("paint");
leaveOut();
if (props.src) picture.src = props.src;
