package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"pithings/agent"
)

// SIGHUP has two meanings: the terminal has gone, upon which every command ends; and, to an
// agent that has one still or never had, "read your configuration again".

type hangupKey struct{}

// hangups is who takes the signals of a command.
type hangups struct {
	mu       sync.Mutex
	take     func() // nil: the command ends
	terminal bool   // there was one at the start
}

// withHangups ends a command upon SIGHUP unless onHangup says otherwise.
func withHangups(ctx context.Context, end func()) (_ context.Context, release func()) {
	h := &hangups{terminal: hasTerminal()}
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range signals {
			h.mu.Lock()
			take := h.take
			h.mu.Unlock()
			if take == nil || h.terminal && !hasTerminal() {
				end()
				continue
			}
			take()
		}
	}()
	return context.WithValue(ctx, hangupKey{}, h), func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// hasTerminal reports whether the process has a controlling terminal. After a hangup the
// kernel opens it no more (tty_ioctl(4), TIOCNOTTY; ENXIO).
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// onHangup reloads an agent upon SIGHUP, until the function that it returns is called.
func onHangup(ctx context.Context, a *agent.Agent, log *slog.Logger) (release func()) {
	h, ok := ctx.Value(hangupKey{}).(*hangups)
	if !ok {
		return func() {}
	}
	set := func(take func()) {
		h.mu.Lock()
		h.take = take
		h.mu.Unlock()
	}
	set(func() {
		if _, err := a.Reload(ctx); err != nil && ctx.Err() == nil {
			log.Error("not reloaded", "err", err)
		}
	})
	return func() { set(nil) }
}
