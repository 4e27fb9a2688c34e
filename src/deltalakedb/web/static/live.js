// What is marked with data-live is fetched anew every few seconds; without this script a reload does the same.
"use strict";
function put(fresh) {
  for (const one of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(one.id);
    if (!other) {
      one.replaceChildren();
    } else if (one.outerHTML !== other.outerHTML && !one.contains(document.activeElement)) {
      one.replaceWith(document.adoptNode(other));
    }
  }
}

async function look() {
  if (document.hidden) return;
  const asof = document.getElementById("asof");
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    put(new DOMParser().parseFromString(await answer.text(), "text/html"));
    document.body.classList.remove("stale");
  } catch (error) {
    document.body.classList.add("stale");
    if (asof && !asof.textContent.includes("no news")) asof.append(", no news since");
    console.warn("The page could not be fetched anew:", error);
  }
}

if (document.querySelector("[data-live]:not(#asof)")) setInterval(look, Number(document.body.dataset.refreshMs));
