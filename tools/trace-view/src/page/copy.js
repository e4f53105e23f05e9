document.addEventListener("click", async function (event) {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const command = button.previousElementSibling;
  const range = document.createRange();
  range.selectNodeContents(command);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  let done = false;
  try {
    await navigator.clipboard.writeText(command.textContent);
    done = true;
  } catch (error) {
    // A page from a file may have no clipboard of its own.
    done = document.execCommand("copy");
  }
  button.textContent = done ? "Copied" : "Selected";
  setTimeout(function () { button.textContent = "Copy"; }, 1500);
});
