// Pictures that are pasted or dropped anywhere on the page go where one would drop them; what is none is refused in words.
() => {
    const status = Object.assign(document.createElement("p"), { id: "status", role: "status" });
    document.body.append(status);
    let soon = 0;
    window.colorizerBusy = (words) => { // said if it is still so after a moment; "" when it is over
        clearTimeout(soon);
        document.documentElement.toggleAttribute("data-busy", Boolean(words));
        if (words) soon = setTimeout(() => (status.textContent = words), 700);
        else status.textContent = "";
    };

    const said = Object.assign(document.createElement("p"), { id: "said", role: "status" }); // for screen readers alone
    document.body.append(said);
    window.colorizerSay = (words) => { said.textContent = words; };

    // The handle between before and after, by the arrow keys: as if it were dragged.
    const drag = (handle, dx) => {
        const box = handle.getBoundingClientRect(), [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        const grip = handle.querySelector(".inner") || handle;
        for (const [target, kind, at] of [[grip, "mousedown", x], [window, "mousemove", x + dx], [window, "mouseup", x + dx]])
            target.dispatchEvent(new MouseEvent(kind, { bubbles: true, cancelable: true, view: window, clientX: at, clientY: y }));
        setTimeout(() => value(handle), 300); // it glides
    };
    const value = (handle) => {
        const box = handle.getBoundingClientRect(), wrap = handle.parentElement.getBoundingClientRect();
        const share = (box.x + box.width / 2 - wrap.x) / Math.max(wrap.width, 1);
        handle.setAttribute("aria-valuenow", Math.round(100 * Math.min(Math.max(share, 0), 1)));
    };
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5, Home: -50, End: 50 };
    document.addEventListener("keydown", (event) => {
        if (!event.target.matches?.("[data-testid=slider][role=slider]") || !(event.key in steps)) return;
        event.preventDefault();
        drag(event.target, (steps[event.key] * event.target.parentElement.clientWidth) / 50);
    });

    // Tabs by the arrow keys.
    document.addEventListener("keydown", (event) => {
        if (!event.target.matches?.("[role=tab]")) return;
        const tabs = [...event.target.closest("[role=tablist]").querySelectorAll("[role=tab]")].filter((tab) => tab.offsetParent);
        const at = tabs.indexOf(event.target), last = tabs.length - 1;
        const next = { ArrowLeft: at ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }[event.key];
        if (next === undefined) return;
        event.preventDefault();
        tabs[next].focus();
        tabs[next].click();
    });

    // Names for what has none, and the handle's role.
    const name = () => {
        waiting = false;
        document.querySelectorAll("[data-testid=slider]:not([role=slider])").forEach((handle) => {
            const about = { role: "slider", tabindex: 0, "aria-label": "Before and after", "aria-valuemin": 0, "aria-valuemax": 100 };
            Object.entries(about).forEach(([key, text]) => handle.setAttribute(key, text));
            value(handle);
        });
        document.querySelectorAll("button:not([aria-label])").forEach((button) => {
            const image = button.querySelector("img");
            if (!image || button.textContent.trim()) return;
            const file = decodeURIComponent(image.src.split("/").pop()).replace(/\.\w+$/, "");
            button.setAttribute("aria-label", button.matches(".gallery-item") ? `Example ${file}` : image.alt || "Picture");
        });
    };
    let waiting = false;
    new MutationObserver(() => {
        if (!waiting) requestAnimationFrame(name);
        waiting = true;
    }).observe(document.body, { childList: true, subtree: true });
    name();
    const isFilm = (file) =>
        file.type.startsWith("video/") || /\.(3gp|avi|dv|flv|m2?ts|m4v|mkv|mov|mp4|mpe?g|mxf|ogv|vob|webm|wmv)$/i.test(file.name);
    const hand = (input, files) => {
        const transfer = new DataTransfer();
        files.forEach((file) => transfer.items.add(file));
        input.files = transfer.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    // A film among photographs goes to its own tab, which is laid out once it is opened.
    const toFilmTab = (film, tries = 30) => {
        const tab = document.querySelector("[data-tab-id=film]");
        if (tab.getAttribute("aria-selected") !== "true") tab.click();
        const input = document.querySelector("#film-file input[type=file]");
        if (input) hand(input, [film]);
        else if (tries) setTimeout(() => toFilmTab(film, tries - 1), 100);
    };
    const refused = (event) => {
        const files = [...(event.dataTransfer ? event.dataTransfer.files : event.target.files || [])];
        const name = files[0] && files[0].name;
        if (!event.target.closest("#drop") || !files.length) return;
        document.querySelectorAll("#begin > .refused").forEach((words) => words.remove());
        const known = /\.(jpe?g|png|webp|tiff?|hei[cf]|avif|jxl|bmp|gif|jp2|p[gp]m)$/i;
        if (files.some((file) => file.type.startsWith("image/") || known.test(file.name))) return;
        event.preventDefault();
        event.stopPropagation();
        if (files.some(isFilm)) return toFilmTab(files.find(isFilm));
        const words = Object.assign(document.createElement("p"), { className: "refused", role: "alert" });
        words.textContent = name.toLowerCase().endsWith(".pdf")
            ? `Give ${name} as an album, at the right: each of its pages is colored.`
            : `${name} is not a picture that can be read. Use a JPEG, PNG, WebP, TIFF or HEIC file.`;
        document.querySelector("#begin").prepend(words);
    };
    document.addEventListener("drop", refused, true);
    document.addEventListener("change", refused, true);
    const take = (event, files) => {
        const film = [...files].find(isFilm);
        if (film) {
            event.preventDefault();
            return toFilmTab(film);
        }
        const given = [...files].filter((file) => file.type.startsWith("image/") || file.name.endsWith(".zip"));
        const one = given.length === 1 && !given[0].name.endsWith(".zip");
        const input = document.querySelector((one ? "#drop" : "#many") + " input[type=file]");
        if (!given.length || !input) return;
        event.preventDefault();
        hand(input, given);
    };
    document.addEventListener("paste", (event) => take(event, event.clipboardData.files));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => event.defaultPrevented || take(event, event.dataTransfer.files));
}
