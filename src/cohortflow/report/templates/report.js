(function () {
  var root = document.documentElement, button = document.getElementById("theme");
  function dark() {
    var chosen = root.getAttribute("data-theme");
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  button.addEventListener("click", function () {
    root.setAttribute("data-theme", dark() ? "light" : "dark");
  });
  var beside = document.querySelector(".links");
  if (beside && !new RegExp(beside.dataset.home).test(location.pathname)) {
    beside.remove();
    document.querySelectorAll("a.beside").forEach(function (a) { a.replaceWith(a.textContent); });
  }
  var links = {};
  document.querySelectorAll("nav a").forEach(function (a) { links[a.hash.slice(1)] = a; });
  if (!("IntersectionObserver" in window)) return;
  var seen = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      var link = links[entry.target.id];
      if (link && entry.isIntersecting) {
        Object.values(links).forEach(function (other) { other.removeAttribute("aria-current"); });
        link.setAttribute("aria-current", "true");
      }
    });
  }, { rootMargin: "-10% 0px -80% 0px" });
  document.querySelectorAll("main section").forEach(function (s) { seen.observe(s); });
})();
