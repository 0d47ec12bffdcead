package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pithings/test/emulated/guest"
	"pithings/test/emulated/guest/control"
)

// Machine is a machine to boot.
type Machine struct {
	Program string   // qemu-system-arm
	Args    []string // machine, kernel, devices
	// Dir is for the console's log and other files of this run.
	Dir string
}

// Guest is a machine that runs.
type Guest struct {
	// Events are what happens in the guest; closed when the machine has ended.
	Events <-chan Event

	cmd   *exec.Cmd
	qmp   *qmp
	dir   string
	in    io.Writer
	group sync.WaitGroup
	err   error
}

// Event is a line of the console.
type Event struct {
	Kind string // one of package guest's marks, or "" for what the kernel says
	Text string
}

// Boot starts the machine. It is killed when ctx ends.
func Boot(ctx context.Context, m Machine) (*Guest, error) {
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return nil, err
	}
	// The path of a Unix socket is short (108 bytes): it cannot be in m.Dir.
	run, err := os.MkdirTemp("", "qmp")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(run, "s")
	args := append(m.Args, "-qmp", "unix:"+socket+",server=on,wait=off", "-serial", "stdio",
		"-display", "none", "-monitor", "none", "-no-reboot")
	cmd := exec.CommandContext(ctx, m.Program, args...)
	log, err := os.Create(filepath.Join(m.Dir, "console.log"))
	if err != nil {
		return nil, err
	}
	complaints, err := os.Create(filepath.Join(m.Dir, "qemu.log"))
	if err != nil {
		return nil, err
	}
	cmd.Stderr = complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(log, cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	events := make(chan Event, 64)
	g := &Guest{Events: events, cmd: cmd, qmp: &qmp{socket: socket}, dir: m.Dir, in: in}
	g.group.Go(func() {
		defer close(events)
		defer os.RemoveAll(run)
		defer complaints.Close()
		defer log.Close()
		g.follow(out, log, events)
		g.err = cmd.Wait()
	})
	return g, nil
}

// End ends the machine and waits for its end.
func (g *Guest) End() error {
	if _, err := g.QMP("quit", nil); err != nil {
		g.cmd.Process.Kill()
	}
	for range g.Events {
	}
	g.group.Wait()
	return g.err
}

// Cut cuts the machine's power: it ends at once, and what it has not written to
// its disk is lost. Its console is read to the end.
func (g *Guest) Cut() {
	g.cmd.Process.Kill()
	for range g.Events {
	}
	g.group.Wait()
}

// follow reads the console to its end.
func (g *Guest) follow(out io.Reader, log io.Writer, events chan<- Event) {
	begun := time.Now()
	s := bufio.NewScanner(out)
	s.Buffer(nil, 4<<20)
	for s.Scan() {
		line := strings.TrimRight(s.Text(), "\r")
		fmt.Fprintf(log, "%8.3f %s\n", time.Since(begun).Seconds(), line)
		e := event(line)
		if e.Kind == guest.MarkAsk {
			g.answer(e.Text)
			continue
		}
		events <- e
	}
}

func event(line string) Event {
	if text, ok := strings.CutPrefix(line, guest.MarkLine); ok {
		return Event{Kind: guest.MarkLine, Text: text}
	}
	for _, mark := range []string{guest.MarkBegin, guest.MarkEnd, guest.MarkAsk, guest.MarkDone, guest.MarkInit} {
		// What the kernel prints may stand before it in the line.
		if _, text, ok := strings.Cut(line, mark); ok {
			return Event{Kind: mark, Text: text}
		}
	}
	return Event{Text: line}
}

// answer does what the guest asks for: "screenshot", or "qmp" with a command in
// Text and its arguments in JSON.
func (g *Guest) answer(question string) {
	var q control.Request
	var r control.Reply
	err := json.Unmarshal([]byte(question), &q)
	if err == nil {
		switch q.Do {
		case "screenshot":
			r.Data, err = g.screenshot()
		case "qmp":
			r.JSON, err = g.QMP(q.Text, q.JSON)
		default:
			err = fmt.Errorf("unknown request %q", q.Do)
		}
	}
	if err != nil {
		r.Error = err.Error()
	}
	text, err := json.Marshal(r)
	if err != nil {
		text = []byte(`{"error":"the reply cannot be written as JSON"}`)
	}
	for len(text) > guest.PieceSize {
		fmt.Fprintf(g.in, "%s%s\n", guest.MarkMore, text[:guest.PieceSize])
		text = text[guest.PieceSize:]
	}
	fmt.Fprintf(g.in, "%s%s\n", guest.MarkReply, text)
}

// screenshot is what the screen shows, as PNG.
func (g *Guest) screenshot() ([]byte, error) {
	file := filepath.Join(g.dir, "screenshot.png")
	if _, err := g.QMP("screendump", map[string]string{"filename": file, "format": "png"}); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// Screenshot is what the screen shows now.
func (g *Guest) Screenshot() (image.Image, error) {
	if _, err := g.screenshot(); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(g.dir, "screenshot.png"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return png.Decode(f)
}

// QMP runs a command of the QEMU Machine Protocol.
func (g *Guest) QMP(command string, arguments any) (json.RawMessage, error) {
	return g.qmp.run(command, arguments)
}
