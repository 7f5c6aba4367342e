// Paint strokes of known color on a photo. Props: src (the picture shown), width and height (of the photo, in its own
// pixels), value (the strokes: [{points: [[x, y], ...], radius, color}], in the photo's pixels).
// Event: input, when a stroke was finished, undone or all were cleared.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d");
const picker = element.querySelector("input[type=color]");
const brush = element.querySelector("input[type=range]");
const picture = new Image();
let stroke = null; // the one being painted
let hover = null; // where the brush is, in the photo's pixels

const strokes = () => props.value || [];
const ready = () => props.width > 0 && canvas.clientWidth > 0;

// Where the photo lies on the canvas, in CSS pixels.
function frame() {
    const scale = Math.min(canvas.clientWidth / props.width, canvas.clientHeight / props.height);
    const left = (canvas.clientWidth - props.width * scale) / 2;
    const top = (canvas.clientHeight - props.height * scale) / 2;
    return { scale, left, top };
}

// The slider's steps grow by a constant factor: 0.5% to 12% of the short side.
function radius() {
    return Math.min(props.width, props.height) * 0.005 * Math.pow(24, brush.value / 100);
}

function place(event) {
    const box = canvas.getBoundingClientRect();
    const { scale, left, top } = frame();
    const x = (event.clientX - box.left - left) / scale;
    const y = (event.clientY - box.top - top) / scale;
    return [Math.min(Math.max(x, 0), props.width), Math.min(Math.max(y, 0), props.height)];
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
    // What is done shrinks to a thin line, so that the colors below can be seen.
    for (const s of strokes()) {
        line(s.points, 7 / scale, "rgba(0,0,0,.55)");
        line(s.points, 5 / scale, "white");
        line(s.points, 3 / scale, s.color);
    }
    if (stroke) line(stroke.points, 2 * stroke.radius, stroke.color);
    if (hover) {
        for (const [width, color] of [[3, "rgba(0,0,0,.6)"], [1.5, "white"]]) {
            pen.lineWidth = width / scale;
            pen.strokeStyle = color;
            pen.beginPath();
            pen.arc(...hover, radius(), 0, 2 * Math.PI);
            pen.stroke();
        }
    }
    for (const b of element.querySelectorAll("[data-act]")) b.disabled = strokes().length === 0;
}

function change(value) {
    props.value = value;
    draw();
    trigger("input");
}

function choose(color) {
    picker.value = color;
    for (const b of element.querySelectorAll("[data-color]")) {
        b.setAttribute("aria-pressed", b.dataset.color === color);
    }
}

canvas.addEventListener("pointerdown", (event) => {
    if (!ready() || event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    stroke = { points: [place(event)], radius: radius(), color: picker.value };
    draw();
});
canvas.addEventListener("pointermove", (event) => {
    if (!ready()) return;
    hover = event.pointerType === "mouse" ? place(event) : null;
    if (stroke) stroke.points.push(place(event));
    draw();
});
canvas.addEventListener("pointerup", () => {
    if (!stroke) return;
    const done = stroke;
    stroke = null;
    change([...strokes(), done]);
});
canvas.addEventListener("pointercancel", () => { stroke = null; draw(); });
canvas.addEventListener("pointerleave", () => { hover = null; draw(); });
element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.color) choose(button.dataset.color);
    if (button.dataset.act === "undo") change(strokes().slice(0, -1));
    if (button.dataset.act === "clear") change([]);
});
element.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && strokes().length) {
        event.preventDefault();
        change(strokes().slice(0, -1));
    }
});
picker.addEventListener("input", () => choose(picker.value));
picture.addEventListener("load", draw);
watch("src", () => { picture.src = props.src; });
watch(["value", "width", "height"], draw);
new ResizeObserver(draw).observe(canvas); // also when its tab is opened
choose(picker.value);
if (props.src) picture.src = props.src;
