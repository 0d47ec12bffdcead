// Command way runs one way through the house, again and again, and writes which code ran
// meanwhile. It is built with coverage counters by test/ways, which serves the broker, and
// obeys the lines on its standard input:
//
//	go         forgets what ran so far, and sets off the event; done
//	again      sets off the one that the event is followed by; done
//	prepare    waits for what the outbox prepares after its first message; prepared
//	write DIR  writes to a folder what ran since go; written
//
// It answers with the word behind the semicolon, and says on its own when a way has come to its end in this
// process: shown, or deleted.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/coverage"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/conf"
	"pithings/hw"
	"pithings/hw/mock"
	"pithings/mqttlink"
	"pithings/mqttlink/clock"
	"pithings/mqttlink/outbox"
	"pithings/things"
)

func main() {
	way := flag.String("way", "", "motion, display or message")
	endpoint := flag.String("endpoint", "", "of the broker")
	dir := flag.String("dir", "", "for state")
	flag.Parse()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	setOff, err := map[string]func(context.Context, string, string) (func(again bool) error, error){
		"motion": motion, "display": display, "message": message,
	}[*way](ctx, *endpoint, *dir)
	if err != nil {
		fail(err)
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer := "done"
		switch command, to, _ := strings.Cut(lines.Text(), " "); command {
		case "go":
			if err = coverage.ClearCounters(); err == nil {
				err = setOff(false)
			}
		case "again":
			err = setOff(true)
		case "prepare":
			answer, err = "prepared", prepared(*dir)
		case "write":
			answer = "written"
			if err = coverage.WriteMetaDir(to); err == nil {
				err = coverage.WriteCountersDir(to)
			}
		}
		if err != nil {
			fail(err)
		}
		fmt.Println(answer)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// house runs a thing with its connection and an outbox on the disk, as the agent does it
// where the configuration says nothing else.
func house(ctx context.Context, board hw.Board, endpoint, dir, name string, settings things.Settings) error {
	k := clock.New(clock.Options{Trust: true})
	box, err := outbox.Open(dir+"/outbox", outbox.DiskOptions{Sync: outbox.SyncInterval, Interval: time.Second, Limits: outbox.Limits{Bytes: 1 << 30}, Now: k.Now})
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.Outbox, o.Clock, o.AckTimeout, o.Log = endpoint, box, k, time.Hour, log
	l, err := mqttlink.New(o)
	if err != nil {
		return err
	}
	thing, err := settings.Open(things.Options{Thing: name}, things.Env{Board: board, Link: l, Log: log})
	if err != nil {
		return err
	}
	if _, err := thing.Attach(); err != nil {
		return err
	}
	var once sync.Once
	ready := make(chan struct{})
	go thing.Run(ctx, func(err error) {
		if err != nil {
			fail(err)
		}
		once.Do(func() { close(ready) })
	})
	go l.Run(ctx)
	<-ready
	return nil
}

// prepared returns when the outbox below dir has the segment ready that it prepares after its
// first message. Nothing but the name of the file shows it.
func prepared(dir string) error {
	for {
		var ready bool
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			ready = ready || strings.HasSuffix(path, ".spare")
			if errors.Is(err, fs.ErrNotExist) { // it has been renamed
				err = nil
			}
			return err
		})
		if ready || err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// motion: from an edge on the line to the packet. It is followed by the falling edge, whose
// packet shows that the sensor is done with the first.
func motion(ctx context.Context, endpoint, dir string) (setOff func(again bool) error, err error) {
	board := mock.New(mock.Options{})
	settings := new(things.MotionSettings)
	conf.Fill(settings)
	settings.Pin, settings.Publish = "GPIO17", things.PublishBoth
	settings.WarmUp, settings.Debounce, settings.Hold = conf.Duration{}, conf.Duration{}, conf.Duration{}
	err = house(ctx, board, endpoint, dir, "TG_MS", settings)
	return func(again bool) error {
		board.Pin("GPIO17").Set(gpio.Level(!again))
		return nil
	}, err
}

// display: from the command, which the broker sends, to the pixels.
func display(ctx context.Context, endpoint, dir string) (setOff func(again bool) error, err error) {
	settings := new(things.ScreenSettings)
	conf.Fill(settings)
	settings.ClearAfter, settings.Fetch.AllowNets = conf.Duration{}, []string{"127.0.0.0/8"}
	err = house(ctx, &screenBoard{Board: mock.New(mock.Options{})}, endpoint, dir, "TG_Screen", settings)
	return func(bool) error { return nil }, err
}

// screenBoard says when there is another picture on its screen.
type screenBoard struct{ *mock.Board }

func (b *screenBoard) OpenFramebuffer(device string) (hw.Framebuffer, error) {
	f, err := b.Board.OpenFramebuffer(device)
	return &screen{Framebuffer: f}, err
}

type screen struct {
	hw.Framebuffer
	last []byte
}

func (s *screen) Draw(paint func(pix []byte)) error {
	return s.Framebuffer.Draw(func(pix []byte) {
		paint(pix)
		g := s.Geometry()
		middle := g.Height/2*g.Stride + g.Width/2*g.BitsPerPixel/8
		now := bytes.Clone(pix[middle : middle+g.BitsPerPixel/8])
		if s.last != nil && !bytes.Equal(now, s.last) {
			fmt.Println("shown")
		}
		s.last = now
	})
}

// message: from Publish to the disk, the PUBACK and the deletion.
func message(ctx context.Context, endpoint, dir string) (setOff func(again bool) error, err error) {
	box, err := outbox.Open(dir+"/outbox", outbox.DiskOptions{Sync: outbox.SyncAlways})
	if err != nil {
		return nil, err
	}
	o := mqttlink.DefaultOptions()
	o.Endpoint, o.Outbox = endpoint, savedBox{box}
	l, err := mqttlink.New(o)
	if err != nil {
		return nil, err
	}
	go l.Run(ctx)
	return func(bool) error {
		return l.Publish(ctx, mqttlink.Message{Topic: "way", Payload: []byte("1"), QoS: 1})
	}, nil
}

// savedBox says when it is empty, and the disk knows.
type savedBox struct{ outbox.Box }

func (b savedBox) Save() {
	b.Box.Save()
	if b.Len() == 0 && b.Saved() {
		fmt.Println("deleted")
	}
}
