// Pictures that are pasted or dropped anywhere on the page go where one would drop them.
() => {
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
