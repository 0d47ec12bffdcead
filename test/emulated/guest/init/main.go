//go:build linux

// Init is the first and only service of an emulated machine's guest. It mounts
// the kernel's file systems, loads modules, sets simulated GPIO lines up and
// runs programs, all as the plan says (see package guest), and notifies the host
// over the console.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
	"pithings/test/emulated/guest/control"
)

func main() {
	con := &console{in: bufio.NewReader(os.Stdin)}
	if err := run(con); err != nil {
		con.say(guest.MarkInit + "failed: " + err.Error())
	}
	con.say(guest.MarkDone)
	// The host ends the machine: the Pi's cannot power itself off.
	select {}
}

func run(con *console) error {
	if err := con.raw(); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if err := mountAll(); err != nil {
		return err
	}
	con.say(guest.MarkInit + "up after " + uptime())
	text, err := os.ReadFile(guest.PlanFile)
	if err != nil {
		return err
	}
	var plan guest.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		return err
	}
	for _, m := range plan.Modules {
		if err := load(m); err != nil {
			return fmt.Errorf("load %s: %w", m.File, err)
		}
	}
	if plan.GPIO != nil {
		if err := simulateGPIO(*plan.GPIO); err != nil {
			return fmt.Errorf("gpio-sim: %w", err)
		}
	}
	for link, target := range plan.Links {
		if err := os.Symlink(target, link); err != nil {
			return err
		}
	}
	if err := watchDevices(); err != nil {
		return fmt.Errorf("watch devices: %w", err)
	}
	if err := interfaceUp("lo", ""); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if plan.Address != "" {
		if err := interfaceUp("eth0", plan.Address); err != nil {
			return fmt.Errorf("network: %w", err)
		}
	}
	if plan.Disk != "" {
		if err := mountDisk(plan.Disk); err != nil {
			return err
		}
		defer unmountDisk(con)
	}
	served := make(chan error, 1)
	go func() { served <- control.Serve(context.Background(), control.Host, con.ask) }()
	for _, p := range plan.Programs {
		if p.Helper {
			if err := con.startHelper(p); err != nil {
				return err
			}
			continue
		}
		con.runProgram(p)
		select {
		case err := <-served:
			return fmt.Errorf("%s: %w", control.Host, err)
		default:
		}
	}
	return nil
}

func mountAll() error {
	for _, m := range []struct{ kind, on, options string }{
		{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"devtmpfs", "/dev", ""},
		{"tmpfs", "/tmp", "mode=1777"}, {"tmpfs", "/run", "mode=0755"}, {"cgroup2", "/sys/fs/cgroup", ""},
	} {
		if err := os.MkdirAll(m.on, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.on, m.kind, 0, m.options); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.on, err)
		}
	}
	return nil
}

func uptime() string {
	text, _ := os.ReadFile("/proc/uptime")
	seconds, _, _ := strings.Cut(string(text), " ")
	return seconds + " s"
}

func load(m guest.Module) error {
	f, err := os.Open(m.File)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), m.Params, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// simulateGPIO makes a gpio-sim chip (Documentation/admin-guide/gpio/gpio-sim.rst).
func simulateGPIO(g guest.GPIO) error {
	const configfs = "/sys/kernel/config"
	if err := unix.Mount("configfs", configfs, "configfs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount configfs: %w", err)
	}
	device := g.Sim()
	bank := device + "/bank0"
	write := func(file, text string) error { return os.WriteFile(file, []byte(text), 0) }
	if err := os.MkdirAll(bank, 0o755); err != nil {
		return err
	}
	if err := errors.Join(write(bank+"/num_lines", strconv.Itoa(g.Count)), write(bank+"/label", g.Label)); err != nil {
		return err
	}
	for offset, name := range g.Lines {
		line := fmt.Sprintf("%s/line%d", bank, offset)
		if err := errors.Join(os.Mkdir(line, 0o755), write(line+"/name", name)); err != nil {
			return err
		}
	}
	return write(device+"/live", "1")
}

// console is the line to the host.
type console struct {
	out   sync.Mutex
	inner sync.Mutex // one question at a time
	in    *bufio.Reader
}

// raw switches echo and line editing off, so that the host's replies come
// through as they are.
func (c *console) raw() error {
	t, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.ICRNL | unix.IXON | unix.ISTRIP
	t.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(0, unix.TCSETS, t)
}

func (c *console) say(line string) {
	c.out.Lock()
	defer c.out.Unlock()
	io.WriteString(os.Stdout, line+"\n")
}

// relay passes on what a program says, line by line.
func (c *console) relay(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		c.say(guest.MarkLine + s.Text())
	}
}

// ask passes a request on to the host.
func (c *console) ask(q control.Request) (control.Reply, error) {
	c.inner.Lock()
	defer c.inner.Unlock()
	text, err := json.Marshal(q)
	if err != nil {
		return control.Reply{}, err
	}
	c.say(guest.MarkAsk + string(text))
	var reply bytes.Buffer
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return control.Reply{}, err
		}
		line = strings.TrimRight(line, "\r\n")
		if piece, ok := strings.CutPrefix(line, guest.MarkMore); ok {
			reply.WriteString(piece)
		} else if piece, ok := strings.CutPrefix(line, guest.MarkReply); ok {
			reply.WriteString(piece)
			var r control.Reply
			return r, json.Unmarshal(reply.Bytes(), &r)
		}
	}
}

func (c *console) command(p guest.Program) (*exec.Cmd, func(), error) {
	cmd := exec.Command(p.Args[0], p.Args[1:]...)
	cmd.Env = append([]string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"}, p.Env...)
	cmd.Dir = "/tmp"
	if p.User {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
			Uid: guest.UserID, Gid: guest.UserID, Groups: []uint32{guest.GPIOGroup, guest.I2CGroup, guest.VideoGroup},
		}}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.relay(r)
		r.Close()
	}()
	return cmd, func() {
		w.Close()
		select {
		case <-done:
		case <-time.After(2 * time.Second): // a child of its own still has the pipe
		}
	}, nil
}

func (c *console) startHelper(p guest.Program) error {
	cmd, _, err := c.command(p)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for limit := time.After(20 * time.Second); p.Ready != ""; {
		if found, _ := filepath.Glob(p.Ready); len(found) > 0 {
			break
		}
		select {
		case err := <-ended:
			return fmt.Errorf("%s ended: %w", p.Name, err)
		case <-limit:
			return fmt.Errorf("%s is not ready: no %s", p.Name, p.Ready)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (c *console) runProgram(p guest.Program) {
	c.say(guest.MarkBegin + p.Name)
	code := 0
	cmd, finish, err := c.command(p)
	if err == nil {
		err = cmd.Run()
		finish()
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
		c.say(guest.MarkLine + exit.Error())
	case err != nil:
		code = 127
		c.say(guest.MarkLine + err.Error())
	}
	c.say(fmt.Sprintf("%s%s %d", guest.MarkEnd, p.Name, code))
}
