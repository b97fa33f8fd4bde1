// A page with a drawing in it loads what draws it from beside this file. The theme would load that from another host.
if (document.querySelector(".mermaid")) {
  document.write(`<script src="${new URL("mermaid.js", document.currentScript.src)}"><\/script>`);
}
