(function () {
  var HEIGHT = 28, SPARE = 12;
  var home = document.querySelector(".links");
  document.querySelectorAll(".roster").forEach(function (root) {
    var data = JSON.parse(root.querySelector("script").textContent);
    var view = root.querySelector(".window"), body = root.querySelector("tbody");
    var form = root.querySelector("form"), told = root.querySelector("output");
    var shown = [], first = -1, last = -1;

    function state(step, subject) { return data.letters[step.states[subject]] || "absent"; }

    function element(name, text, kind) {
      var made = document.createElement(name);
      if (text !== undefined) made.textContent = text;
      if (kind) made.className = kind;
      return made;
    }

    function option(select, value, text) {
      var made = element("option", text);
      made.value = value;
      select.appendChild(made);
    }

    function cell(step, subject) {
      var now = state(step, subject), code = step.codes[subject], part = step.parts[subject];
      var made = element("td", now === "absent" ? "—" : part ? now + " " + part : now, now);
      if (code) made.title = code;
      if (code && now !== "done") made.textContent += " · " + code;
      return made;
    }

    function named(subject) {
      var made = element("td"), name = data.subjects[subject];
      var pages = home && data.within ? data.pages[parseInt(data.within[subject], 36)] : undefined;
      if (!pages) { made.textContent = name; return made; }
      var link = element("a", name);
      link.href = pages + encodeURIComponent(name) + ".html";
      made.appendChild(link);
      return made;
    }

    function space(rows) {
      var made = element("tr", undefined, "space"), inside = element("td");
      inside.colSpan = data.steps.length + 1;
      inside.style.height = rows * HEIGHT + "px";
      made.appendChild(inside);
      return made;
    }

    function draw() {
      var top = Math.max(0, Math.floor(view.scrollTop / HEIGHT) - SPARE);
      var end = Math.min(shown.length, top + Math.ceil(view.clientHeight / HEIGHT) + 2 * SPARE);
      if (top === first && end === last) return;
      first = top; last = end;
      var rows = document.createDocumentFragment();
      rows.appendChild(space(top));
      for (var at = top; at < end; at++) {
        var row = element("tr");
        row.setAttribute("aria-rowindex", at + 2);
        row.appendChild(named(shown[at]));
        for (var n = 0; n < data.steps.length; n++) row.appendChild(cell(data.steps[n], shown[at]));
        rows.appendChild(row);
      }
      rows.appendChild(space(shown.length - end));
      body.replaceChildren(rows);
    }

    function chosen(subject) {
      var wanted = form.state.value, step = form.step.value;
      if (!wanted) return true;
      var steps = step === "" ? data.steps : [data.steps[step]];
      return steps.some(function (one) {
        var now = state(one, subject);
        return wanted === "not done" ? now !== "done" && now !== "absent" : now === wanted;
      });
    }

    function filter() {
      var text = form.subject.value.trim().toLowerCase();
      shown = [];
      for (var at = 0; at < data.subjects.length; at++)
        if (data.subjects[at].toLowerCase().indexOf(text) >= 0 && chosen(at)) shown.push(at);
      told.textContent = shown.length.toLocaleString("en") + " of " +
        data.subjects.length.toLocaleString("en") + " subjects";
      root.querySelector("table").setAttribute("aria-rowcount", shown.length + 1);
      view.scrollTop = 0;
      first = -1;
      draw();
    }

    var head = element("tr");
    head.appendChild(element("th", "Subject"));
    option(form.step, "", "any");
    data.steps.forEach(function (step, n) {
      head.appendChild(element("th", step.name));
      option(form.step, n, step.name);
    });
    root.querySelector("thead").appendChild(head);
    option(form.state, "", "any");
    option(form.state, "not done", "not done");
    Object.values(data.letters).concat("absent").forEach(function (name) {
      option(form.state, name, name);
    });
    form.addEventListener("input", filter);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    view.addEventListener("scroll", draw, { passive: true });
    root.hidden = false;
    filter();
  });
})();
