package pi

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
	"testing"

	"periph.io/x/host/v3/gpioioctl"
)

func TestOnlyPeriphsWordsAreRedirected(t *testing.T) {
	var others, debug bytes.Buffer
	before := log.Writer()
	defer log.SetOutput(before)
	log.SetOutput(&others)
	restore := redirectPeriph(slog.New(slog.NewTextHandler(&debug, &slog.HandlerOptions{Level: slog.LevelDebug})))

	log.Print("http: bad request") // as any other package would
	new(gpioioctl.GPIOChip).ByNumber(5)
	if got := others.String(); !strings.Contains(got, "http: bad request") || strings.Contains(got, "out of range") {
		t.Errorf("package log wrote %q", got)
	}
	if got := debug.String(); !strings.Contains(got, "out of range") || !strings.Contains(got, "DEBUG") || strings.Contains(got, "http") {
		t.Errorf("the debug log has %q", got)
	}

	restore()
	if log.Writer() != &others {
		t.Error("the output of package log was not given back")
	}
	restore = redirectPeriph(slog.New(slog.DiscardHandler))
	log.SetOutput(&debug) // another package's choice meanwhile
	restore()
	if log.Writer() != &debug {
		t.Error("another package's choice was undone")
	}
}
