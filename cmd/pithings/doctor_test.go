package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDoctorExaminesTheSimulatedParts(t *testing.T) {
	r, err := examine(t.Context(), true, "", slog.New(slog.DiscardHandler))
	if err != nil || r.Failed() != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	var out strings.Builder
	if err := printReport(&out, r, partOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"ok    motion  GPIO17", "ok    sensor  BME680 at 0x76", "ok    camera  /dev/video0", "ok    screen  /dev/fb0"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
}

func TestDoctorReadsTheConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pi.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("things:\n  - {name: hall, type: motion, pin: GPIO4}\n")
	r, err := examine(t.Context(), true, file, slog.New(slog.DiscardHandler))
	if err != nil || r.Failed() != 0 || r[len(r)-1].Part != "hall" || !strings.Contains(r[len(r)-1].Found, "GPIO4") {
		t.Errorf("%+v, %v", r, err)
	}
	write("things:\n  - {name: hall, type: motion, pin: 4}\n")
	r, err = examine(t.Context(), true, file, slog.New(slog.DiscardHandler))
	if err != nil || len(r) != 1 || r.Failed() != 1 || !strings.Contains(r[0].Fix, "GPIO4") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDoctorExitCodes(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"doctor", "--mock", "--json"}, exitOK},
		{[]string{"doctor", "--config", filepath.Join(t.TempDir(), "none.yaml")}, exitFailure},
		{[]string{"doctor", "GPIO17"}, exitUsage},
		{[]string{"doctor", "--mok"}, exitUsage},
	} {
		if code := run(tc.args); code != tc.code {
			t.Errorf("%v: exit status %d, want %d", tc.args, code, tc.code)
		}
	}
}
