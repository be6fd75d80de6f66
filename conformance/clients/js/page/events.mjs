// What a page does with a generation: EventSource follows it, and the browser's own decoder reads the image.

/** Events of a generation until its last one, as [type, id, data]. */
export function follow({ url }) {
  const seen = [];
  return new Promise((resolve) => {
    const source = new EventSource(url);
    const end = (last) => {
      source.close();
      resolve({ seen, last });
    };
    const note = (event) => seen.push([event.type, event.lastEventId, JSON.parse(event.data)]);
    for (const type of ["status", "part", "completed", "failed"]) source.addEventListener(type, note);
    source.addEventListener("completed", () => end("completed"));
    source.addEventListener("failed", () => end("failed"));
    source.addEventListener("error", () => source.readyState === EventSource.CLOSED && end("error"));
  });
}

/** Size of an image, and its colours at these points, as "#rrggbb". */
export async function pixels({ url, points }) {
  const image = await createImageBitmap(await (await fetch(url)).blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const colour = ([x, y]) => `#${[...context.getImageData(x, y, 1, 1).data.slice(0, 3)].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  return { size: [image.width, image.height], colours: points.map(colour) };
}
