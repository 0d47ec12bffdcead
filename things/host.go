package things

import (
	"context"
	"io/fs"
	"log/slog"
	"reflect"
	"time"

	"pithings/conf"
	"pithings/device"
	"pithings/hw"
	"pithings/hw/probe"
	"pithings/mqttlink"
	"pithings/sensors/host"
)

// hostKind is the computer itself: the processor's temperature, supply, load, memory, disk
// space, uptime, radio and addresses, and, if it is wanted, how the program is.
var hostKind = &Kind{
	Name: "host", Doc: "the computer itself", Example: "pi", Routine: true,
	Topics: append(meterTopics("48.3", "°C, %, B, s, dBm, or 0 and 1: docs/things.md lists the quantities"), Topic{
		Role: "status", Template: "{thing}/status", QoS: 1, Retain: true, Payloads: []Payload{
			{`{"version":"1.4.0","parts":{"TG_MS":"up"},"queued":0}`, "with status: true: at each change; parts are up, down or starting"},
		}}),
	New:      func() Settings { return new(HostSettings) },
	Discover: discoverHost,
}

// HostSettings are what a configuration says of the computer.
type HostSettings struct {
	Interval conf.Duration `json:"interval" default:"1m" min:"1s" max:"24h" change:"afar" jsonschema:"time between measurements"`
	Disks    []string      `json:"disks" expand:"path" form:"folder" change:"local" jsonschema:"folders whose file system's space is measured; none: /"`
	Firmware bool          `json:"firmware" default:"false" change:"local" jsonschema:"whether the Pi's firmware is asked for throttling, through /dev/vcio; the service needs a drop-in for that"`
	Status   bool          `json:"status" default:"false" change:"afar" jsonschema:"whether version, parts and queued messages are published, retained, on {thing}/status at each change"`
	Sysfs    string        `json:"sysfs" expand:"path" form:"folder" change:"local" jsonschema:"folder with a copy of sys and proc, measured in place of this machine's; empty: this machine"`
}

// Part implements Settings: there is one computer, and any number of things may measure it.
func (s *HostSettings) Part() (key, name string) { return "", "" }

// Simulate implements Settings.
func (s *HostSettings) Simulate() {}

// discoverHost returns the computer, which is there.
func discoverHost(c *probe.Connected) []Candidate {
	if c.Kernel == nil {
		return nil
	}
	s := new(HostSettings)
	conf.Fill(s)
	return []Candidate{{Part: "computer", Found: "its temperature, load, memory, disk space and network", Name: "pi", Settings: s}}
}

// Probe implements Settings.
func (s *HostSettings) Probe(ctx context.Context, p *probe.Prober, part string) []probe.Result {
	files, err := kernelFiles(p.Board, s.Sysfs, "")
	if err != nil {
		return []probe.Result{probe.Failure(part, err, "write sysfs: only for a copy of another machine's files")}
	}
	d := numberGauge{host.Open(files, &host.Opts{Disks: s.disks()})}
	values, err := d.Read(ctx)
	if values == nil {
		return []probe.Result{probe.Failure(part, err, "mount /proc and /sys; in a container they are often hidden")}
	}
	return []probe.Result{probe.Found(part, "%s: %s", d, shown(d.Channels(), values))}
}

func (s *HostSettings) disks() []string {
	if len(s.Disks) == 0 {
		return []string{"/"}
	}
	return s.Disks
}

// Describe implements Settings.
func (s *HostSettings) Describe(t Topics) Description {
	d := describeMeter(t, s.Interval.Duration)
	d.Model.Diagnostic = true
	if s.Status {
		d.Model.Events["status"] = device.EventModel{Topic: t["status"]}
		d.Wire = WireOf(d.Model)
	}
	return d
}

// Host is the computer on MQTT.
type Host struct {
	*meter
	settings HostSettings
	board    hw.Board
	self     func() Self
	said     Self // published last

	// Of the goroutine of Run.
	queued  int // before the measurement, whose messages wait for their acknowledgement only
	device  *host.Device
	mailbox *host.Mailbox // nil while it is not open
}

// Open implements Settings.
func (s *HostSettings) Open(o Options, e Env) (Thing, error) {
	h := &Host{settings: *s, board: e.Board, self: e.Self}
	m, err := newMeter(hostKind, o, e, s.Interval.Duration, o.Thing, h.open)
	if err != nil {
		return nil, err
	}
	m.texts, m.after = h.addresses, h.status
	if s.Status && h.self != nil {
		m.before = func() { h.queued = h.self().Queued }
	}
	h.meter = m
	return h, nil
}

// Run implements Thing.
func (h *Host) Run(ctx context.Context, report func(error)) error {
	defer h.closeMailbox()
	return h.meter.Run(ctx, report)
}

func (h *Host) open(context.Context) (gauge, error) {
	files, err := kernelFiles(h.board, h.settings.Sysfs, "")
	if err != nil {
		return nil, err
	}
	opts := host.Opts{Disks: h.settings.disks()}
	if h.settings.Firmware {
		opts.Throttled = h.throttled(files)
	}
	h.device = host.Open(files, &opts)
	return numberGauge{h.device}, nil
}

// firmwareDevice is the mailbox's device below the root folder.
const firmwareDevice = "dev/vcio"

// throttled returns what asks the firmware for its flags, or nil.
func (h *Host) throttled(files fs.FS) func() (host.Flags, error) {
	h.closeMailbox()
	_, err := fs.Stat(files, firmwareDevice) // a simulation has none
	if err == nil && h.settings.Sysfs == "" {
		if h.mailbox, err = host.OpenMailbox("/" + firmwareDevice); err == nil {
			return h.mailbox.Throttled
		}
	}
	flags := host.Deprecated(files)
	if _, ok := flags(); ok == nil {
		return flags
	}
	h.meter.said.Say(slog.LevelWarn, "firmware", "the firmware is not asked for throttling: give the service DeviceAllow=/dev/vcio rw in a drop-in, and its user the group video", "thing", h.thing, "err", err)
	return nil
}

func (h *Host) closeMailbox() {
	if h.mailbox != nil {
		h.mailbox.Close()
		h.mailbox = nil
	}
}

// addresses adds the computer's addresses to the message of all.
func (h *Host) addresses(ctx context.Context, r *record) {
	list := []string{}
	if h.device != nil {
		found, err := h.device.Addresses(ctx)
		if err != nil {
			h.log.Debug("addresses not read", "thing", h.thing, "err", err)
		}
		for _, a := range found {
			list = append(list, a.String())
		}
	}
	r.add("addresses", list)
}

// status publishes how the program is, if that changed. It does not wait for a connection:
// later it would not be true any more.
func (h *Host) status(ctx context.Context) {
	if !h.settings.Status || h.self == nil {
		return
	}
	now := h.self()
	now.Queued = h.queued
	if reflect.DeepEqual(now, h.said) {
		return
	}
	r := (&record{compact: true}).string("version", now.Version).add("parts", now.Parts).int("queued", int64(now.Queued)).with(h.extra)
	m := h.message("status", time.Time{}, r)
	m.Unqueued = true
	err := h.send(ctx, m)
	h.emit("status", time.Now(), r)
	if mqttlink.Accepted(err) {
		h.said = now
	} else if ctx.Err() == nil {
		h.log.Debug("status not published", "thing", h.thing, "err", err)
	}
}

// Watch implements [device.Actor]. The events are state, status and each quantity that is
// known.
func (h *Host) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	if h.settings.Status {
		if stop, err := h.watch(event, []string{"status"}, fn); err == nil {
			return stop, nil
		}
	}
	return h.meter.Watch(event, fn)
}
