package pi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
	"pithings/hw/hwtest"
	"pithings/test/emulated/guest/control"
)

// kernelBoard opens the board for a test that needs the variables.
func kernelBoard(t *testing.T, variables ...string) *Board {
	t.Helper()
	for _, v := range variables {
		if os.Getenv(v) == "" {
			t.Skipf("skipped: %s is not set", v)
		}
	}
	b, err := Open(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// eventually waits for what takes its time after an event.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 10 s still not: %s", what)
		}
	}
}

// An adapter that is unplugged while it is open, and comes back.
func TestKernelAdapterUnplugged(t *testing.T) {
	b := kernelBoard(t, "PITHINGS_TEST_BUS", "PITHINGS_TEST_BRIDGE")
	name, bridge := os.Getenv("PITHINGS_TEST_BUS"), os.Getenv("PITHINGS_TEST_BRIDGE")
	bus, err := b.OpenBus(name)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 1)
	if err := bus.Tx(0x76, []byte{0xD0}, id); err != nil {
		t.Fatal(err)
	}
	removed := make(chan error, 1)
	go func() { // the kernel waits for us to close the bus
		_, err := control.Ask(bridge, control.Request{Do: "remove"})
		removed <- err
	}()
	eventually(t, "the adapter has gone", func() bool { return errors.Is(bus.Tx(0x76, []byte{0xD0}, id), hw.ErrGone) })
	if err := bus.Close(); err != nil {
		t.Error(err)
	}
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	if _, err := b.OpenBus(name); !errors.Is(err, hw.ErrNotFound) {
		t.Errorf("open while unplugged: %v, want %v", err, hw.ErrNotFound)
	}
	mustAsk(t, bridge, control.Request{Do: "add"})
	eventually(t, "the adapter is back", func() bool {
		bus, err = b.OpenBus(name)
		return err == nil
	})
	defer bus.Close()
	if err := bus.Tx(0x76, []byte{0xD0}, id); err != nil || id[0] != 0x61 {
		t.Errorf("chip %#x, %v", id[0], err)
	}
}

// A chip that is unbound while a line is in use, and bound again, which periph
// does not see.
func TestKernelChipUnbound(t *testing.T) {
	b := kernelBoard(t, "PITHINGS_TEST_PIN", "PITHINGS_TEST_OUTPUT", "PITHINGS_TEST_SIM")
	name, sim := os.Getenv("PITHINGS_TEST_PIN"), os.Getenv("PITHINGS_TEST_SIM")
	live := func(on string) {
		t.Helper()
		if err := os.WriteFile(sim+"/live", []byte(on), 0); err != nil {
			t.Fatal(err)
		}
	}
	line, err := b.OpenPin(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := line.In(gpio.PullDown, gpio.BothEdges); err != nil {
		t.Fatal(err)
	}
	output := os.Getenv("PITHINGS_TEST_OUTPUT")
	out, err := b.OpenOutput(output, hw.OutputOpts{Start: hw.StartOn})
	if err != nil {
		t.Fatal(err)
	}
	live("0")
	if err := out.Set(false); !errors.Is(err, hw.ErrGone) {
		t.Errorf("Set: %v, want %v", err, hw.ErrGone)
	}
	if _, err := out.Value(); !errors.Is(err, hw.ErrGone) {
		t.Errorf("Value: %v, want %v", err, hw.ErrGone)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	begun := time.Now()
	if line.WaitForEdge(500 * time.Millisecond) {
		t.Error("an edge on a line that is gone")
	}
	if took := time.Since(begun); took < 490*time.Millisecond {
		t.Errorf("the wait ended after %v, which would spin", took)
	}
	if line.Read() != gpio.Low {
		t.Error("a line that is gone reads high")
	}
	if err := line.In(gpio.PullDown, gpio.BothEdges); !errors.Is(err, hw.ErrGone) {
		t.Errorf("In: %v, want %v", err, hw.ErrGone)
	}
	if err := line.Halt(); err != nil {
		t.Error(err)
	}
	if _, err := b.OpenPin(name); !errors.Is(err, hw.ErrNotFound) {
		t.Errorf("open while unbound: %v, want %v", err, hw.ErrNotFound)
	}
	live("1")
	hwtest.Run(t, hwtest.Harness{Open: func(*testing.T) hw.Board { return b }, Pin: kernelPin(name, sim), Output: kernelOutput(output, sim)})
}

// Every part says which group is missing, and works with it.
func TestKernelGroups(t *testing.T) {
	const child = "PITHINGS_TEST_CHILD"
	parts := []struct {
		variable, group string
		gid             uint32
		open            func(b *Board, name string) error
	}{
		{"PITHINGS_TEST_PIN", "gpio", 997, func(b *Board, name string) error {
			p, err := b.OpenPin(name)
			if err == nil {
				err = p.Halt()
			}
			return err
		}},
		{"PITHINGS_TEST_OUTPUT", "gpio", 997, func(b *Board, name string) error {
			p, err := b.OpenOutput(name, hw.OutputOpts{})
			if err == nil {
				err = p.Close()
			}
			return err
		}},
		{"PITHINGS_TEST_BUS", "i2c", 998, func(b *Board, name string) error {
			p, err := b.OpenBus(name)
			if err == nil {
				err = p.Close()
			}
			return err
		}},
		{"PITHINGS_TEST_VIDEO", "video", 44, func(b *Board, name string) error {
			first, _, _ := strings.Cut(name, ",")
			p, err := b.OpenVideo(first)
			if err == nil {
				err = p.Close()
			}
			return err
		}},
		{"PITHINGS_TEST_SCREEN", "video", 44, func(b *Board, name string) error {
			p, err := b.OpenFramebuffer(name)
			if err == nil {
				err = p.Close()
			}
			return err
		}},
	}
	for _, p := range parts {
		t.Run(p.variable, func(t *testing.T) {
			if os.Getenv(child) != "" {
				b := kernelBoard(t, p.variable)
				err := p.open(b, os.Getenv(p.variable))
				if err != nil && !errors.Is(err, hw.ErrPermission) {
					t.Errorf("error %v, want %v", err, hw.ErrPermission)
				}
				t.Logf("opened: %v", err)
				return
			}
			if os.Getenv(p.variable) == "" || os.Geteuid() != 0 {
				t.Skipf("skipped: %s is not set, or this is not root", p.variable)
			}
			for _, groups := range [][]uint32{nil, {p.gid}} {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKernelGroups$/^"+p.variable+"$", "-test.v")
				cmd.Env = append(os.Environ(), child+"=1")
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000, Groups: groups}}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				want := "opened: <nil>"
				if groups == nil {
					want = "usermod -aG " + p.group + " pi"
				}
				if !bytes.Contains(out, []byte(want)) {
					t.Errorf("with groups %v it does not say %q:\n%s", groups, want, out)
				}
			}
		})
	}
}

// A process that is killed gives its outputs back, whatever level they keep.
func TestKernelHolderKilled(t *testing.T) {
	const child = "PITHINGS_TEST_CHILD"
	b := kernelBoard(t, "PITHINGS_TEST_OUTPUT")
	name := os.Getenv("PITHINGS_TEST_OUTPUT")
	if os.Getenv(child) != "" {
		if _, err := b.OpenOutput(name, hw.OutputOpts{Start: hw.StartOn}); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("opened\n")
		<-t.Context().Done()
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKernelHolderKilled$")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "opened\n" {
		t.Errorf("the child says %q (%v)", line, err)
	}
	_, err = b.OpenOutput(name, hw.OutputOpts{})
	if held := fmt.Sprintf(`"pithings@%d" holds it`, cmd.Process.Pid); !errors.Is(err, hw.ErrBusy) || !strings.Contains(err.Error(), held) {
		t.Errorf("while it runs: %v, want %q", err, held)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	_, left, err := b.Line(name)
	if err != nil || left.Used {
		t.Errorf("after its end: %+v, %v", left, err)
	}
	kept, err := b.OpenOutput(name, hw.OutputOpts{Start: hw.StartKeep})
	if err != nil {
		t.Fatal(err)
	}
	on, err := kept.Value()
	t.Logf("this kernel left the line an output: %t; it was kept on: %t (%v)", left.Output, on, err)
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
}
