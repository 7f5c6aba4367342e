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
    const refused = (event) => {
        const files = [...(event.dataTransfer ? event.dataTransfer.files : event.target.files || [])];
        const name = files[0] && files[0].name;
        if (!event.target.closest("#drop") || !files.length) return;
        document.querySelectorAll("#begin > .refused").forEach((words) => words.remove());
        const known = /\.(jpe?g|png|webp|tiff?|hei[cf]|avif|jxl|bmp|gif|jp2|p[gp]m)$/i;
        if (files.some((file) => file.type.startsWith("image/") || known.test(file.name))) return;
        event.preventDefault();
        event.stopPropagation();
        const words = Object.assign(document.createElement("p"), { className: "refused", role: "alert" });
        words.textContent = name.toLowerCase().endsWith(".pdf")
            ? `Give ${name} as an album, at the right: each of its pages is colored.`
            : `${name} is not a picture that can be read. Use a JPEG, PNG, WebP, TIFF or HEIC file.`;
        document.querySelector("#begin").prepend(words);
    };
    document.addEventListener("drop", refused, true);
    document.addEventListener("change", refused, true);
    const take = (event, files) => {
        const given = [...files].filter((file) => file.type.startsWith("image/") || file.name.endsWith(".zip"));
        const one = given.length === 1 && !given[0].name.endsWith(".zip");
        const input = document.querySelector((one ? "#drop" : "#many") + " input[type=file]");
        if (!given.length || !input) return;
        event.preventDefault();
        const transfer = new DataTransfer();
        given.forEach((file) => transfer.items.add(file));
        input.files = transfer.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    document.addEventListener("paste", (event) => take(event, event.clipboardData.files));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => event.defaultPrevented || take(event, event.dataTransfer.files));
}
