package rogue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"pithings/mqttlink/packet"
)

// meanwhile does something and measures how long the witness waits for the broker meanwhile, at
// most. The error is that of the witness, which is then not served.
func (p *probe) meanwhile(ctx context.Context, do func(context.Context)) (longest time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var doing sync.WaitGroup
	doing.Go(func() { defer close(done); do(ctx) })
	defer doing.Wait()
	for {
		took, err := p.witness.served(ctx)
		longest = max(longest, took)
		if err != nil {
			cancel()
			return longest, err
		}
		select {
		case <-done:
			return longest, nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// starved is the finding where the witness was not served.
func starved(ctx context.Context, err error) Finding {
	if ctx.Err() != nil {
		return lacking(ctx.Err())
	}
	return through("others are not served meanwhile: " + err.Error())
}

func flood(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, true); !ok {
		return f
	}
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	b := packet.AppendPublish(nil, &packet.Message{Topic: p.home + own, Payload: append([]byte(p.mark()), bytes.Repeat([]byte{'x'}, floodSize)...)}, 0)
	sent := 0
	longest, err := p.meanwhile(ctx, func(ctx context.Context) {
		for ; sent < floodMessages && p.messages.wait(ctx) == nil && c.send(b) == nil; sent++ {
		}
		p.answered(ctx, c)
	})
	switch {
	case err != nil:
		return starved(ctx, err)
	case c.closed():
		return stopped(Closed, fmt.Sprintf("after %d messages", sent))
	}
	return stopped(Served, fmt.Sprintf("%d messages; others waited %v at most", sent, longest.Round(100*time.Microsecond)))
}

// storm subscribes to many filters.
func storm(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, true); !ok {
		return f
	}
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	var granted, refused int
	var failed error
	_, err = p.meanwhile(ctx, func(ctx context.Context) {
		for i := 0; i < stormFilters && failed == nil; i += stormPacket {
			var filters []string
			for j := range stormPacket {
				filters = append(filters, fmt.Sprintf("%sstorm/%d", p.home, i+j))
			}
			var codes []byte
			if failed = p.messages.wait(ctx); failed == nil {
				codes, failed = c.subscribe(ctx, filters...)
			}
			for _, code := range codes {
				if code < packet.Refused {
					granted++
				} else {
					refused++
				}
			}
		}
	})
	switch {
	case err != nil:
		return starved(ctx, err)
	case errors.Is(failed, errClosed):
		return stopped(Closed, fmt.Sprintf("after %d filters", granted))
	case failed != nil:
		return lacking(failed)
	case refused > 0:
		return stopped(Refused, fmt.Sprintf("%d of %d filters", refused, granted+refused))
	}
	mark := p.mark()
	_, _ = c.publish(ctx, packet.Message{Topic: fmt.Sprintf("%sstorm/%d", p.home, stormFilters-1), Payload: plain(mark)})
	if !c.await(ctx, p.times.settle, func(in *inbox) bool { return in.heard(mark) }) {
		return stopped(Dropped, fmt.Sprintf("%d filters are granted, and the last one delivers nothing", granted))
	}
	return through(fmt.Sprintf("one client has %d subscriptions", granted))
}

// slowReader does not read what it is subscribed to. When all is sent it reads, and counts what
// the broker has kept for it.
func slowReader(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(true, true); !ok {
		return f
	}
	messages := slowMessages
	if p.far {
		messages = slowFar
	}
	c, err := p.enter(ctx)
	if err != nil {
		return lacking(err)
	}
	if granted, err := c.granted(ctx, p.home+"#"); err != nil || !granted {
		return notTested("the device may not subscribe to its own " + p.home + "#")
	}
	c.gate.close() // at most one more packet is read
	defer c.gate.open()
	mark := p.mark()
	m := packet.Message{Topic: p.home + own, QoS: 1, Payload: append([]byte(mark), bytes.Repeat([]byte{'x'}, slowSize)...)}
	sent := 0
	var failed error
	longest, err := p.meanwhile(ctx, func(ctx context.Context) {
		for ; sent < messages && p.messages.wait(ctx) == nil; sent++ {
			if failed = c.send(packet.AppendPublish(nil, &m, uint16(sent+1000))); failed != nil {
				return
			}
		}
	})
	if err != nil {
		return starved(ctx, err)
	}
	c.gate.open()
	kept := 0
	for c.await(ctx, p.times.settle, func(in *inbox) bool { return in.count(mark) > kept }) {
		c.now(func(in *inbox) bool { kept = in.count(mark); return true })
	}
	detail := fmt.Sprintf("%d messages of %d KiB were published to it, and %d came when it read; others waited %v at most", sent, slowSize>>10, kept, longest.Round(100*time.Microsecond))
	switch {
	case failed != nil:
		return stopped(Closed, detail)
	case kept > messages*3/4 && !p.far:
		return through(detail)
	}
	return stopped(Bounded, detail)
}

// halfLogins opens connections that send their first bytes one at a time and never all of them.
func halfLogins(ctx context.Context, p *probe) Finding {
	if f, ok := p.needs(false, true); !ok {
		return f
	}
	first := packet.AppendConnect(nil, &packet.Login{ClientID: p.device.Name})
	if p.device.TLS != nil { // a ClientHello that says it has 508 bytes
		first = append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, bytes.Repeat([]byte{7}, 32)...)
	}
	var all []net.Conn
	defer func() {
		for _, nc := range all {
			nc.Close()
		}
	}()
	longest, err := p.meanwhile(ctx, func(ctx context.Context) {
		for range halfConnects {
			nc, err := p.dial(ctx, nil)
			if err != nil {
				return
			}
			all = append(all, nc)
		}
		pause := p.times.half / time.Duration(len(first))
		for _, one := range first[:len(first)-1] {
			for _, nc := range all {
				_ = nc.SetWriteDeadline(time.Now().Add(p.times.write))
				_, _ = nc.Write([]byte{one}) // whether it is open is looked at below
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	})
	if err != nil {
		return starved(ctx, err)
	}
	if ctx.Err() != nil {
		return lacking(ctx.Err())
	}
	open := 0
	for _, nc := range all {
		_ = nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		var timeout net.Error
		if _, err := nc.Read(make([]byte, 1)); errors.As(err, &timeout) && timeout.Timeout() {
			open++
		}
	}
	if _, err := p.enter(ctx); err != nil {
		return through(fmt.Sprintf("with %d half logins no other client comes in: %v", len(all), err))
	}
	return stopped(Served, fmt.Sprintf("%d of %d half logins are open after %v; others waited %v at most", open, len(all), p.times.half, longest.Round(100*time.Microsecond)))
}
