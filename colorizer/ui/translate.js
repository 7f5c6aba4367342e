// The page in the browser's language: what is in the table of texts is replaced wherever it appears, as text, as an
// attribute, and as a sentence with markup in it. LANGUAGES_AND_TEXTS is [[language, ...], {English: [in each of them]}].
() => {
    const [LANGUAGES, TABLE] = LANGUAGES_AND_TEXTS;
    const wanted = (navigator.languages || [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
    const language = wanted.find((tag) => tag === "en" || LANGUAGES.includes(tag)) || "en";
    const html = document.documentElement;
    html.lang = language;
    // Gradio names the browser's language there once its own texts have come, also where this page is not translated.
    new MutationObserver(() => { if (html.lang !== language) html.lang = language; })
        .observe(html, { attributeFilter: ["lang"] });
    const column = LANGUAGES.indexOf(language);
    if (column < 0) {
        window.colorizerText = (text) => text;
        return;
    }
    const escaped = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
    const patterns = Object.keys(TABLE).filter((text) => text.includes("{}"))
        .sort((a, b) => b.length - a.length) // the most particular one first
        .map((text) => [new RegExp(`^${text.split("{}").map(escaped).join("(.+?)")}$`), TABLE[text][column]]);
    const SKIP = "script, style, code, pre, svg, [translate=no], .cm-editor, #pictures, #figures td:first-child";
    const ATTRIBUTES = ["aria-label", "placeholder", "title", "alt"];
    const made = new Set(); // what was put there, and is not to be looked at again
    const unknown = window.colorizerUnknown = new Set(); // for those who look after the table

    function lookUp(text) {
        if (Object.hasOwn(TABLE, text)) return TABLE[text][column];
        for (const [pattern, other] of patterns) {
            const found = pattern.exec(text);
            if (!found) continue;
            let k = 0;
            return other.replace(/\{\}/g, () => { k += 1; return lookUp(found[k]) || found[k]; });
        }
        return null;
    }

    function translated(text) {
        const words = text.replace(/\s+/g, " ").trim();
        if (!/\p{L}{2}/u.test(words) || made.has(words)) return null;
        const other = lookUp(words);
        if (other === null) unknown.add(words);
        else made.add(other.replace(/\s+/g, " ").trim());
        return other === null ? null : text.match(/^\s*/)[0] + other + text.match(/\s*$/)[0];
    }

    // Sentences with markup in them: each line by itself.
    function sentence(element) {
        const lines = element.innerHTML.split(/<br\s*\/?>/);
        const others = lines.map((line) => {
            const words = line.replace(/\s+/g, " ").trim();
            const other = made.has(words) ? null : lookUp(words);
            if (other !== null) made.add(other);
            return other;
        });
        if (others.every((other) => other === null)) return;
        element.innerHTML = lines.map((line, k) => others[k] ?? line).join("<br>");
        const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) made.add(walk.currentNode.data.replace(/\s+/g, " ").trim());
    }

    function text(node) {
        if (!node.parentElement || node.parentElement.closest(SKIP)) return;
        const other = translated(node.data);
        if (other !== null) node.data = other;
    }

    function attributes(element) {
        if (element.closest("[translate=no]")) return;
        for (const name of ATTRIBUTES) {
            const value = element.getAttribute(name);
            const other = value && translated(value);
            if (other) element.setAttribute(name, other);
        }
    }

    function whole(root) {
        if (root.nodeType === Node.TEXT_NODE) return text(root);
        if (root.nodeType !== Node.ELEMENT_NODE) return;
        const all = [root, ...root.querySelectorAll("*")];
        const prose = root.closest(".prose, .html-container");
        for (const element of all) {
            if ((prose || element.closest(".prose, .html-container")) && element.matches("p, li")
                && element.firstElementChild && !element.closest(SKIP)) sentence(element);
        }
        root.querySelectorAll("*").forEach(attributes);
        attributes(root);
        const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) text(walk.currentNode);
    }

    window.colorizerText = (words) => lookUp(words) || words;
    for (const word of ["Before", "After"]) html.style.setProperty(`--${word.toLowerCase()}`, JSON.stringify(lookUp(word)));
    new MutationObserver((changes) => {
        for (const change of changes) {
            if (change.type === "characterData") text(change.target);
            else if (change.type === "attributes") attributes(change.target);
            else change.addedNodes.forEach(whole);
        }
    }).observe(document.body, {
        subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES,
    });
    whole(document.body);
}
