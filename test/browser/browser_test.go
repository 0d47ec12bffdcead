package browser

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience bounds every wait for an event. The machines are shared: it says that something never
// happened, not how fast it has to be.
const patience = 60 * time.Second

var (
	pithings string // the program
	chromium string
	axe      string // the script
)

func TestMain(m *testing.M) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		fmt.Fprintln(os.Stderr, "skipped: there is no chromium; install it with: apt-get install chromium")
		if os.Getenv("CI") != "" {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pithings-browser-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	pithings = filepath.Join(dir, "pithings")
	build := exec.Command("go", "build", "-o", pithings, "./cmd/pithings")
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	packed, err := os.Open(filepath.Join("testdata", "axe.min.js.gz"))
	if err != nil {
		panic(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		panic(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	axe = string(text)
	return m.Run()
}

// pi is an agent with simulated parts.
type pi struct {
	t      *testing.T
	text   string // of the configuration
	config string // its file
	state  string
	addr   string // of the web server
	cmd    *exec.Cmd
	ended  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

var listens = regexp.MustCompile(`msg="web server listens" addr=(\S+)`)

// begin starts an agent with a configuration, in which LISTEN is the address of its web server, and
// with files beside it: names and texts in turn.
func begin(t *testing.T, config string, files ...string) *pi {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &pi{t: t, text: config, config: filepath.Join(dir, "pithings.yaml"), state: filepath.Join(dir, "state"), addr: "127.0.0.1:0"}
	p.start()
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("pithings said:\n%s", p.log.String())
		}
	})
	return p
}

// start runs the agent, at the address that it had before.
func (p *pi) start() {
	p.t.Helper()
	if err := os.WriteFile(p.config, []byte(strings.ReplaceAll(p.text, "LISTEN", p.addr)), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.Command(pithings, "run", "--mock", "--config", p.config, "--state", p.state)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	found := make(chan string, 1)
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.mu.Lock()
			fmt.Fprintln(&p.log, lines.Text())
			p.mu.Unlock()
			if m := listens.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
		_ = p.cmd.Wait()
	}()
	select {
	case p.addr = <-found:
	case <-p.ended:
		p.t.Fatalf("pithings has ended:\n%s", p.log.String())
	case <-time.After(patience):
		p.t.Fatalf("the web server does not listen in %v:\n%s", patience, p.log.String())
	}
}

// end ends the agent, if it runs.
func (p *pi) end() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.t.Error("pithings does not end")
	}
}

// mosquitto runs a broker, until stop or the end of the test.
func mosquitto(t *testing.T, port string) (stop func()) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(config, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	t.Cleanup(stop)
	return stop
}

// input runs another pithings command beside the agent, with an input.
func (p *pi) input(text string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(pithings, append(args, "--state", p.state)...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("pithings %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// look is how a page is looked at.
type look struct {
	name  string
	width int64
	dark  bool
}

var looks = []look{{"phone, light", 390, false}, {"phone, dark", 390, true}, {"desk, light", 1280, false}, {"desk, dark", 1280, true}}

// tab is a page in a browser of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu     sync.Mutex
	errors []string // of the console
}

// browse begins a browser.
func browse(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.ExecPath(chromium))
	for _, off := range []string{"disable-background-networking", "disable-component-update", "disable-quic", "disable-sync", "no-first-run", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(off, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // likewise the browser
		t.Fatal(err)
	}
	return ctx
}

// open opens the page in a new tab of a browser.
func open(t *testing.T, browser context.Context, url string, l look) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, url: url}
	if err := chromedp.Do(ctx); err != nil { // a tab lives as long as the context that it was made with
		t.Fatal(err)
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.do(chromedp.EmulateViewport(l.width, 900), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
	said := chromedp.Console(ctx)
	go func() {
		for m, err := range said {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException || m.Type == chromedp.ConsoleWarning {
				b.mu.Lock()
				b.errors = append(b.errors, m.String()+" "+m.URL)
				b.mu.Unlock()
			}
		}
	}()
	b.do(chromedp.Navigate(url))
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail("%v", err)
	}
}

// fail keeps a picture of the page, and ends the test.
func (b *tab) fail(format string, args ...any) {
	b.t.Helper()
	b.t.Errorf(format, args...)
	b.t.Errorf("the page shows:\n%s", eval[string](b, "document.body.innerText"))
	b.shot("failed")
	b.t.FailNow()
}

// shot keeps a picture of the page in $BROWSER_PICTURES.
func (b *tab) shot(name string) {
	dir := os.Getenv("BROWSER_PICTURES")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		name = regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(b.t.Name()+" "+name, "-")
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		b.t.Log(err)
	}
}

// eval is the value of an expression in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// wait waits until an expression is true.
func (b *tab) wait(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void]("!!("+expression+")", chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(100*time.Millisecond))); err != nil {
		b.fail("%s: %v", what, err)
	}
}

// text waits for a text on the page.
func (b *tab) text(want string) {
	b.t.Helper()
	b.wait("the page does not show "+want, fmt.Sprintf("document.body.innerText.includes(%q)", want))
}

// control is the button, link or summary of a name, within a part of the page.
func control(within, name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].flatMap((e) => [...e.querySelectorAll("button, a, summary")]).find((e) => (e.getAttribute("aria-label") || e.innerText).trim() === %q && e.checkVisibility())`, within, name)
}

// click clicks a control as a person does: in its middle.
func (b *tab) click(within, name string) {
	b.t.Helper()
	b.wait("there is no "+name+" in "+within, control(within, name)+` && !`+control(within, name)+`.disabled`)
	b.do(chromedp.Click(chromedp.JSPath(control(within, name))))
}

// sound says what is wrong with the page as it is: what overlaps, what scrolls sideways, and what axe finds.
func (b *tab) sound(where string) {
	b.t.Helper()
	if wide := eval[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		b.t.Errorf("%s: the page is %d pixels too wide: %s", where, wide, eval[string](b, `[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + "." + e.className).slice(0, 5).join(" ")`))
	}
	if over := eval[string](b, `(() => {
		const all = [...document.querySelectorAll("button, a, input, select, textarea, summary")].filter((e) => e.checkVisibility() && !e.classList.contains("skip"));
		const boxes = all.map((e) => e.getBoundingClientRect());
		for (let i = 0; i < all.length; i++) for (let j = i + 1; j < all.length; j++) {
			if (all[i].contains(all[j]) || all[j].contains(all[i])) continue;
			const x = Math.min(boxes[i].right, boxes[j].right) - Math.max(boxes[i].left, boxes[j].left), y = Math.min(boxes[i].bottom, boxes[j].bottom) - Math.max(boxes[i].top, boxes[j].top);
			if (x > 1 && y > 1) return all[i].outerHTML.slice(0, 80) + " over " + all[j].outerHTML.slice(0, 80);
		}
		return "";
	})()`); over != "" {
		b.t.Errorf("%s: %s", where, over)
	}
	eval[any](b, `window.axe ? 0 : (() => {`+axe+`})() || 0`)
	for _, v := range eval[[]string](b, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.html.slice(0, 100) + " " + (n.any[0] ? n.any[0].message : "")).slice(0, 3).join("; ")))`) {
		b.t.Errorf("%s: axe: %s", where, v)
	}
	b.shot(where)
}

// quiet reports what the console has that it should not, but for what matches allowed.
func (b *tab) quiet(allowed ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, e := range b.errors {
		for _, a := range allowed {
			if strings.Contains(e, a) {
				continue next
			}
		}
		b.t.Errorf("console: %s", e)
	}
	b.errors = nil
}

// accept says yes to the next question of the page.
func (b *tab) accept() {
	b.t.Helper()
	asked := chromedp.Events(b.ctx, page.JavascriptDialogOpening)
	go func() {
		for _, err := range asked {
			if err == nil {
				_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}) // the click waits for it
			}
			return
		}
	}()
}

func itoa(n int) string { return strconv.Itoa(n) }

// write puts a text into a field, in the place of what is there.
func (b *tab) write(field, text string) {
	b.t.Helper()
	b.wait("there is no "+field, fmt.Sprintf("document.querySelector(%q)", field))
	eval[any](b, fmt.Sprintf(`(() => { const f = document.querySelector(%q); f.value = %q; f.dispatchEvent(new Event("input", { bubbles: true })); })() || 0`, field, text))
}
