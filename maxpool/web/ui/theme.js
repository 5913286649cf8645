// The chosen theme, before the first paint; without a choice the system decides.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem('maxpool.theme'); } catch { /* storage may be forbidden */ }
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
})();
