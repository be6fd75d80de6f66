/** The files that the page's input holds: the test chooses them, as a person does. */
export const chosen = () => [...document.querySelector("input[type=file]").files];

/** A promise with its ends outside. */
export function outcome() {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
}
