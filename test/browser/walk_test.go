package browser

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const home = `http: {listen: "LISTEN"}
history: {enabled: true}
broker: {listen: "127.0.0.1:0"}
things:
  - {name: TG_MS, type: motion, pin: GPIO17}
  - {name: TG_Camera, type: camera}
  - {name: TG_Screen, type: screen}
  - {name: bme680, type: environment, bus: "1", interval: 3s}
  - {name: relay, type: output, pin: GPIO27}
  - {name: pi, type: host}
`

// A newcomer opens the page and uses the things, without reading anything first and without loading
// it again; on a phone and on a desk, by day and by night.
func TestWalk(t *testing.T) {
	p := begin(t, home)
	browser := browse(t)
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			b := open(t, browser, "http://"+p.addr+"/", l)
			b.text("Things")
			b.text("This Pi is simulated")
			b.wait("no temperature", `document.querySelector("#thing-bme680 b")`)
			b.wait("no motion", `document.querySelector("#thing-TG_MS").innerText.includes("yes")`)
			b.sound("things")

			b.click("#thing-TG_Camera", "Capture")
			b.wait("no picture", `document.querySelector("#thing-TG_Camera figure img")?.naturalWidth > 0`)
			b.click("#thing-relay", "Set on")
			b.wait("the relay is not on", `document.querySelector("#thing-relay .values").innerText.includes("on")`)
			b.click("#thing-relay", "Set off")
			b.wait("the relay is not off", `document.querySelector("#thing-relay .values").innerText.includes("off")`)
			b.click("#thing-relay", "More")
			b.sound("things, used")

			b.click("#thing-bme680", "bme680")
			b.wait("no charts", `document.querySelectorAll(".chart canvas").length >= 4`)
			b.click("main", "1 h")
			b.wait("no charts of an hour", `document.querySelectorAll(".chart canvas").length >= 4`)
			b.sound("thing")

			b.click("nav", "Pictures")
			b.wait("no gallery", `document.querySelector(".gallery img")?.naturalWidth > 0`)
			b.sound("pictures")
			before := eval[int](b, `document.querySelectorAll(".gallery li").length`)
			b.accept()
			b.click(".gallery li", "Delete")
			b.wait("it is not deleted", `document.querySelectorAll(".gallery li").length < `+itoa(before))

			b.click("nav", "Link")
			b.text("Waiting messages")
			b.click("main", "Watch")
			b.wait("no message passes", `document.querySelector(".messages code")`)
			b.sound("link")

			b.click("nav", "Log")
			b.wait("no line of the log", `document.querySelectorAll(".log li").length > 3`)
			b.write("#words", "relay")
			b.wait("no line of the relay", `[...document.querySelectorAll(".log li")].every((l) => l.innerText.includes("relay")) && document.querySelector(".log li")`)
			b.click("main", "relay: debug")
			b.click("main", "relay: as configured")
			b.sound("log")

			b.click("nav", "Doctor")
			b.click("main", "Examine")
			b.wait("no report", `document.querySelectorAll(".rows .ok").length > 3`)
			b.sound("doctor")
			b.quiet()
		})
	}
}

// The page comes with few requests and few bytes, and asks no other host.
func TestFirstContent(t *testing.T) {
	p := begin(t, home)
	b := open(t, browse(t), "http://"+p.addr+"/", looks[0])
	b.wait("no things", `document.querySelector(".card")`)
	for _, u := range eval[[]string](b, `performance.getEntriesByType("resource").map((e) => e.name)`) {
		if want := "http://" + p.addr + "/"; len(u) < len(want) || u[:len(want)] != want {
			t.Errorf("it asks for %s", u)
		}
	}
	files := eval[[]string](b, `["/", ...performance.getEntriesByType("resource").filter((e) => e.name.includes("/page/") && !e.name.endsWith(".svg")).map((e) => e.name)]`)
	if len(files) > 3 {
		t.Errorf("%d files before the first content: %q", len(files), files)
	}
	if n := eval[int](b, `performance.getEntriesByType("resource").filter((e) => e.name.includes("/page/")).reduce((n, e) => n + e.transferSize, performance.getEntriesByType("navigation")[0].transferSize)`); n > 150<<10 || n < 1000 {
		t.Errorf("%d bytes before the first content", n)
	}
	b.quiet()
}

// A page that is left open finds its agent again after a restart, and says meanwhile that what it
// shows is old.
func TestRestart(t *testing.T) {
	p := begin(t, home)
	b := open(t, browse(t), "http://"+p.addr+"/", looks[2])
	b.wait("no temperature", `document.querySelector("#thing-bme680 b")`)
	p.end()
	b.text("The agent does not answer")
	p.start()
	b.wait("it has not come back", `!document.body.innerText.includes("The agent does not answer")`)
	b.wait("no temperature", `document.querySelector("#thing-bme680 b")`)
	b.quiet("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
}

// Ten tabs of one browser work: one of them has the stream for all.
func TestTenTabs(t *testing.T) {
	p := begin(t, home)
	browser := browse(t)
	var tabs []*tab
	for range 10 {
		tabs = append(tabs, open(t, browser, "http://"+p.addr+"/", looks[2]))
	}
	for i, b := range tabs {
		b.wait("tab "+itoa(i)+" shows no temperature", `document.querySelector("#thing-bme680 b")`)
	}
	// What one does the others see.
	tabs[4].click("#thing-relay", "Set on")
	for i, b := range tabs {
		b.wait("tab "+itoa(i)+" does not see it", `document.querySelector("#thing-relay .values").innerText.includes("on")`)
	}
	// The tab with the stream is closed, and another takes it.
	if err := chromedp.Cancel(tabs[9].ctx); err != nil {
		t.Fatal(err)
	}
	tabs[0].click("#thing-relay", "Set off")
	for i, b := range tabs[:9] {
		b.wait("tab "+itoa(i)+" does not see it after one was closed", `document.querySelector("#thing-relay .values").innerText.includes("off")`)
		b.quiet()
	}
}

// No other site can put the page into a frame, and the page runs no script but its own.
func TestHeaders(t *testing.T) {
	p := begin(t, home)
	answer, err := http.Get("http://" + p.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	b := open(t, browse(t), "http://"+p.addr+"/", looks[2])
	b.wait("no things", `document.querySelector(".card")`)
	eval[any](b, `document.body.append(Object.assign(document.createElement("script"), { textContent: "window.injected = 1" })) || 0`)
	if eval[bool](b, `!!window.injected`) {
		t.Error("a script in the text runs")
	}
}

// A flow is written with a mistake, which is shown at its line, mended, deployed, seen to run, changed,
// and taken back.
func TestFlows(t *testing.T) {
	p := begin(t, home)
	browser := browse(t)
	for _, l := range looks[1:3] {
		t.Run(l.name, func(t *testing.T) {
			name := "Flow" + itoa(int(l.width))
			b := open(t, browser, "http://"+p.addr+"/#/flows", l)
			b.click("main", "Write a flow")
			b.wait("no editor", `document.querySelector("textarea")`)
			b.write("textarea", "name: "+name+"\nthings:\n  sensor: TG_MS\n  camera: TG_Camera\ntrigger:\n  thing: sensor\n  event: StateChanged\nsteps:\n  - name: <b>Picture</b>\n    thing: camera\n    action: photograph\n")
			b.wait("the mistake is not shown at its line", `document.querySelector(".problems").innerText.includes("Line 9") && document.querySelectorAll(".numbers .wrong").length === 1`)
			b.sound("mistake")
			b.write("textarea", "name: "+name+"\nthings:\n  sensor: TG_MS\n  camera: TG_Camera\ntrigger:\n  thing: sensor\n  event: StateChanged\nsteps:\n  - name: Picture\n    thing: camera\n    action: capture\n")
			b.wait("it is not right now", `!document.querySelector(".problems li:not(.quiet)") && document.querySelector(".graph")`)
			b.click("main", "Deploy")
			b.wait("it is not deployed", `location.hash.endsWith("/`+name+`") && document.querySelector(".graph")`)
			b.click("main", "Start "+name)
			b.wait("it has not run", `document.querySelector(".rows .succeeded")`)
			b.sound("deployment")
			b.click("main", "Change")
			b.write("textarea", "name: "+name+"\nthings:\n  sensor: TG_MS\n  camera: TG_Camera\ntrigger:\n  thing: sensor\n  event: StateChanged\nsteps:\n  - name: Other\n    thing: camera\n    action: capture\n")
			b.click("main", "Deploy")
			b.wait("there is no second revision", `document.querySelector("#revision")?.value === "2"`)
			eval[any](b, `(() => { const s = document.querySelector("#revision"); s.value = "1"; s.dispatchEvent(new Event("change", { bubbles: true })); })() || 0`)
			b.click("main", "Go back to revision 1")
			b.wait("it did not go back", `document.querySelector("#revision")?.value === "3" && document.querySelector(".source").innerText.includes("Picture")`)
			b.click(".rows li", name)
			b.text("execution started")
			b.sound("execution")
			b.quiet()
		})
	}
}

// What can be written by others is shown as a text, wherever it is shown.
func TestTextsAreTexts(t *testing.T) {
	p := begin(t, home)
	b := open(t, browse(t), "http://"+p.addr+"/#/flows/new", looks[2])
	b.wait("no editor", `document.querySelector("textarea")`)
	const bad = `<img src=x onerror=window.bad=1>`
	b.write("textarea", "name: Bad\nthings:\n  camera: TG_Camera\n  sensor: TG_MS\ntrigger:\n  thing: sensor\n  event: "+bad+"\nsteps:\n  - name: x\n    thing: camera\n    action: capture\n")
	b.text(bad)
	b.write("textarea", "name: Bad\nthings:\n  camera: TG_Camera\n  sensor: TG_MS\ntrigger:\n  thing: sensor\n  event: StateChanged\nvars: {v: '"+bad+"'}\nsteps:\n  - name: '<s>x'\n    thing: camera\n    action: capture\n")
	b.wait("it is not checked", `document.querySelector(".problems").innerText === "" ? document.querySelector(".graph") : !document.querySelector(".problems").innerText.includes("onerror=window.bad=1> is")`)
	if eval[bool](b, `!!window.bad || !!document.querySelector("main img[src=x], main s")`) {
		t.Error("a text became a part of the page")
	}
	b.quiet()
}

// Who comes through a proxy is a stranger: nothing is shown before the login, everything after, and
// nothing again after the logout.
func TestLogin(t *testing.T) {
	p := begin(t, home)
	p.input("correct horse battery\n", "passwd", "--stdin", "--config", p.config)
	b := open(t, browse(t), "about:blank", looks[0])
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"X-Forwarded-For": "203.0.113.9"}})
		return err
	}), chromedp.Navigate("http://"+p.addr+"/"))
	b.wait("no login", `document.querySelector("#password")`)
	if text := eval[string](b, "document.body.innerText"); strings.Contains(text, "TG_MS") {
		t.Errorf("before the login the page shows %s", text)
	}
	b.sound("login")
	b.write("#password", "wrong")
	b.click("main", "Log in")
	b.wait("a wrong password is taken", `document.querySelector("main .error")`)
	b.write("#password", "correct horse battery")
	b.click("main", "Log in")
	b.wait("no temperature after the login", `document.querySelector("#thing-bme680 b")`)
	b.click("#thing-relay", "Set on")
	b.wait("the relay is not on", `document.querySelector("#thing-relay .values").innerText.includes("on")`)
	// Another password ends all sessions, also that of a page that is left open.
	p.input("another horse battery\n", "passwd", "--stdin", "--config", p.config)
	b.wait("the session has not ended", `document.querySelector("#password") && !document.body.innerText.includes("TG_MS")`)
	b.write("#password", "another horse battery")
	b.click("main", "Log in")
	b.wait("no temperature after the second login", `document.querySelector("#thing-bme680 b")`)
	b.click(".who", "Log out")
	b.click("main", "Log out")
	b.wait("it is not logged out", `document.querySelector("#password") && !document.body.innerText.includes("TG_MS")`)
	b.quiet("401", "403")
}

// A setting is changed, with the difference before it is saved, and taken back.
func TestSettings(t *testing.T) {
	p := begin(t, home)
	browser := browse(t)
	for _, l := range looks[1:3] {
		t.Run(l.name, func(t *testing.T) {
			b := open(t, browser, "http://"+p.addr+"/#/settings", l)
			const field = "#set-things\\\\.bme680\\\\.interval"
			b.wait("no setting", `document.querySelector("`+field+`")`)
			b.sound("settings")
			eval[any](b, `(() => { const f = document.querySelector("`+field+`"); f.value = "never"; f.dispatchEvent(new Event("input", { bubbles: true })); })() || 0`)
			b.click("main", "Show the difference")
			b.wait("a wrong value is not refused", `document.querySelector("main .fail .error")`)
			b.sound("refused")
			eval[any](b, `(() => { const f = document.querySelector("`+field+`"); f.value = "7s"; f.dispatchEvent(new Event("input", { bubbles: true })); })() || 0`)
			b.click("main", "Show the difference")
			b.wait("no difference", `document.querySelector("main del")?.innerText === "3s" && document.querySelector("main ins")?.innerText === "7s"`)
			b.sound("difference")
			b.click("main", "Save")
			b.wait("it is not saved", `document.querySelector("`+field+`")?.value === "7s"`)
			b.wait("it is not accepted", `document.querySelector(".rows li")?.innerText.includes("in force")`)
			b.click("main", "Return to the file alone")
			b.wait("it is not taken back", `document.querySelector("`+field+`")?.value === "3s"`)
			b.quiet()
		})
	}
}

// The broker goes away: the page says so and counts what waits; the broker comes back, and nothing waits
// any more.
func TestBrokerIsAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	stop := mosquitto(t, port)
	p := begin(t, strings.Replace(home, `broker: {listen: "127.0.0.1:0"}`, "mqtt: {endpoint: mqtt://127.0.0.1:"+port+", reconnect: {min: 1s, max: 2s}}", 1))
	b := open(t, browse(t), "http://"+p.addr+"/#/link", looks[0])
	state := `document.querySelector("article .state")?.innerText`
	waiting := `Number([...document.querySelectorAll("article dt")].find((d) => d.innerText === "Waiting messages").nextElementSibling.querySelector("b").innerText)`
	b.wait("it is not online", state+`.includes("online")`)
	stop()
	b.wait("it does not say that the broker is away", `!`+state+`.includes("online") && document.querySelector("article .trouble")`)
	b.wait("nothing waits", waiting+" > 3")
	b.sound("away")
	mosquitto(t, port)
	b.wait("it is not online again", state+`.includes("online") && !document.querySelector("article .trouble")`)
	b.wait("messages still wait", waiting+" < 3")
	b.quiet()
}

// The gateway's alarm is acknowledged, and a rule's script tried.
func TestGateway(t *testing.T) {
	p := begin(t, home+`gateway:
  groups: [{name: default, polling: 500ms}]
  devices: [{name: hall, thing: bme680}]
  variables: [{device: hall, name: Warm, value: temperature}]
  alarms: [{name: Heat, device: hall, variable: Warm, condition1: Gt, operand1: "-50", content: it is <b>warm</b>}]
  publish: [{name: up, topic: readings, groups: [default], script: up.py}]
`, "up.py", "def main(values, wizard):\n    print('tried', values)\n    return [values['timestamp']]\n")
	b := open(t, browse(t), "http://"+p.addr+"/", looks[1])
	b.click("nav", "Gateway")
	b.wait("no alarm", `document.querySelector(".raised")?.innerText.includes("it is <b>warm</b>")`)
	b.click("main", "Acknowledge Heat")
	b.wait("it is not acknowledged", `document.querySelector(".raised").innerText.includes("acknowledged")`)
	b.click("main", "Try its script")
	b.write("main textarea", `{"timestamp": 7}`)
	b.click("main", "Try it")
	b.wait("it is not tried", `document.querySelector("details pre")?.innerText.includes("tried")`)
	b.sound("gateway")
	b.quiet()
}
