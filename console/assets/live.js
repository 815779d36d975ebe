// Follows the page's parts, and puts those that changed in their place.
const path = document.body.dataset.live;
if (path) {
  const source = new EventSource(path);
  source.addEventListener("parts", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) {
      document.getElementById(id).innerHTML = html;
    }
  });
}
