(function () {
  var root = document.getElementById("verdict-form");
  var data = JSON.parse(root.querySelector("script").textContent);
  var form = root.querySelector("form"), told = root.querySelector("output");
  var meta = document.querySelector('meta[name="cohortflow-save"]');
  var token = meta ? meta.content : "";
  var place = "cohortflow/ratings/" + data.cohort + "/" + data.pipeline + "/";
  var CODE = /^(?=.*[0-9])[A-Za-z0-9_-]{2,16}$/;
  var KEYS = { p: "pass", d: "doubtful", f: "fail" };
  // What a file of ratings may not hold, which a pasted text or a letter cut in half does.
  var CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/gu;
  var memory = {}, kept = true, code = "";

  function get(name) {
    try { return localStorage.getItem(name); } catch (error) { kept = false; return memory[name] || null; }
  }

  function set(name, text) {
    memory[name] = text;
    try { localStorage.setItem(name, text); } catch (error) { kept = false; }
  }

  // Of one rater: several may sit at one browser. Those under no code wait for the first that is said.
  function ratings() {
    try { return JSON.parse(get(place + code) || "{}") || {}; } catch (error) { return {}; }
  }

  function keep(all) { set(place + code, JSON.stringify(all)); }

  function documentOf(subjects) {
    var all = ratings();
    return {
      schema: 1, kind: "cohortflow ratings", cohort: data.cohort, pipeline: data.pipeline,
      rater: code,
      ratings: subjects.map(function (subject) {
        var one = all[subject];
        return { subject: subject, verdict: one.verdict, comment: one.comment || "",
                 rated: one.rated, page: one.page };
      })
    };
  }

  function tell(text) {
    var all = Object.keys(ratings()).length;
    var where = kept ? "kept in this browser" : "kept only while this page is open: this browser keeps nothing here";
    told.textContent = text + " " + all + (all === 1 ? " verdict is " : " verdicts are ") + where + ".";
  }

  function send() {
    if (!token) return;
    if (!code) { tell("Not saved in the cohort: it needs your code first."); return; }
    fetch("/ratings", {
      method: "POST", credentials: "omit", cache: "no-store",
      headers: { "Content-Type": "application/json", "X-Cohortflow-Token": token },
      body: JSON.stringify(documentOf([data.subject]))
    }).then(function (answer) {
      return answer.json().then(function (said) {
        tell(answer.ok ? "Saved in the cohort." : "Not saved in the cohort: " + said.message);
      });
    }).catch(function () { tell("Not saved in the cohort: nothing answers here."); });
  }

  function save() {
    var chosen = form.verdict.value;
    if (!chosen) { tell("No verdict yet."); return; }
    var all = ratings();
    all[data.subject] = {
      verdict: chosen, comment: form.comment.value.replace(CONTROL, " ").trim(),
      rated: new Date().toISOString(), page: data.page
    };
    keep(all);
    tell(token ? "Saving…" : "Noted.");
    send();
  }

  function download() {
    if (!code) {
      tell("A code of yours is needed first, such as r1: letters and digits, no name.");
      form.rater.focus();
      return;
    }
    var text = JSON.stringify(documentOf(Object.keys(ratings()).sort()), null, 1) + "\n";
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "ratings.json";
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
  }

  function show() {
    var mine = ratings()[data.subject];
    form.verdict.forEach(function (one) { one.checked = !!mine && one.value === mine.verdict; });
    form.comment.value = mine ? mine.comment : "";
    tell(mine ? (mine.page === data.page ? "Rated before." : "Rated before, on an earlier version of this page.") : "Not rated yet.");
  }

  function called() {
    var typed = form.rater.value.trim(), waiting = code ? {} : ratings();
    if (!code) keep({});
    code = CODE.test(typed) ? typed : "";
    set("cohortflow/rater", code);
    keep(Object.assign(ratings(), waiting));
    show();
    if (waiting[data.subject]) send();
  }

  function go(to) { if (to) location.href = to; }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    var field = event.target.closest ? event.target.closest("textarea, input[type=text]") : null;
    if (field) { if (event.key === "Escape") field.blur(); return; }
    var key = event.key.toLowerCase();
    if (KEYS[key]) { form.verdict.value = KEYS[key]; save(); }
    else if (key === "n") go(data.next);
    else if (key === "b") go(data.previous);
    else if (key === "c") form.comment.focus();
    else if (key === "s") download();
    else return;
    event.preventDefault();
  });
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("change", function (event) {
    if (event.target === form.rater) called(); else save();
  });
  root.querySelector("button").addEventListener("click", download);

  code = get("cohortflow/rater") || "";
  form.rater.value = code;
  root.hidden = false;
  keep(ratings());
  show();
})();
