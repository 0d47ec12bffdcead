package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/agent/discover"
	"pithings/hw"
	"pithings/hw/mock"
	"pithings/hw/probe"
)

func TestDiscoverExitCodes(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.yaml")
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"discover", "--mock"}, exitOK},
		{[]string{"discover", "--mock", "--json"}, exitOK},
		{[]string{"discover", "--mock", "--config", none}, exitFailure},
		{[]string{"discover", "i2c"}, exitUsage},
		{[]string{"discover", "--mok"}, exitUsage},
	} {
		var out, errs strings.Builder
		if code := execute(t.Context(), tc.args, strings.NewReader(""), &out, &errs); code != tc.code {
			t.Errorf("%v: exit status %d, want %d: %s", tc.args, code, tc.code, errs.String())
		}
	}
}

// TestDiscoveredLinesAreAConfiguration: what is printed can be pasted below "things:".
func TestDiscoveredLinesAreAConfiguration(t *testing.T) {
	var out, errs strings.Builder
	if code := execute(t.Context(), []string{"discover", "--mock"}, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatal(errs.String())
	}
	text := "broker: {listen: \"127.0.0.1:1883\"}\nthings:\n"
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "  - ") {
			text += line
		}
	}
	file := filepath.Join(t.TempDir(), "pi.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := execute(t.Context(), []string{"config", "check", file}, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Errorf("config check: %d: %s%s:\n%s", code, out.String(), errs.String(), text)
	}

	// With that configuration all that is connected has a thing.
	out.Reset()
	if code := execute(t.Context(), []string{"discover", "--mock", "--json", "--config", file}, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatal(errs.String())
	}
	var r discover.Report
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	things := map[string]string{}
	for _, p := range r.Parts {
		if p.Thing != "" {
			things[p.Thing] = p.Name
		}
	}
	if len(things) != strings.Count(text, "- {") || things["motion"] != "GPIO17" || things["bme680"] != "i2c-1 0x76" || things["camera"] != "/dev/video0" || things["screen"] != "/dev/fb0" {
		t.Errorf("%v", things)
	}
}

// denying is a board whose I²C bus this user may not open.
type denying struct{ *mock.Board }

func (denying) Parts(context.Context) hw.Parts {
	return hw.Parts{I2C: []hw.I2CBus{{Node: "/dev/i2c-1", Open: "1", Err: hw.ErrPermission}}}
}

func TestDiscoverWithoutPermission(t *testing.T) {
	board := denying{mock.New(mock.Options{})}
	defer board.Close()
	r, err := discover.Look(t.Context(), discover.Options{Prober: probe.New(board, nil)})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := printConnected(&out, r, false); err == nil || !strings.Contains(err.Error(), "1 part") {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "permission denied") {
		t.Error(out.String())
	}
}

// TestWhileWaiting: on a terminal there is a note after a second, which goes away.
func TestWhileWaiting(t *testing.T) {
	var out strings.Builder
	done := whileWaiting(&out, "it takes long") // no terminal
	done()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	for took, want := range map[time.Duration]string{time.Second / 2: "", 2 * time.Second: "pithings: it takes long\r\x1b[K"} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			done := note(&out, "it takes long")
			time.Sleep(took)
			synctest.Wait()
			done()
			done()
			if out.String() != want {
				t.Errorf("%v: %q, want %q", took, out.String(), want)
			}
		})
	}
}
