package agent

import (
	"fmt"
	"image"
	"math"
	"net/netip"
	"time"

	"periph.io/x/conn/v3/physic"

	"pithings/agent/config"
	"pithings/camera"
	"pithings/display"
	"pithings/hw"
	"pithings/sensors/bme680"
	"pithings/sensors/hcsr501"
)

// What a configuration says, in the words of the drivers. The configuration has
// its defaults filled in and its ranges checked; the drivers read a zero as
// "default" here and there, which has to be said differently to them.

func motionOpts(m *config.Motion) hcsr501.Opts {
	return hcsr501.Opts{WarmUp: m.WarmUp.Duration, Debounce: m.Debounce.Duration,
		Hold: m.Hold.Duration, StuckHigh: m.StuckAfter.Duration}
}

func environmentOpts(e *config.Environment) bme680.Opts {
	o := bme680.DefaultOpts
	o.Temperature = oversampling[e.Oversampling.Temperature]
	o.Pressure = oversampling[e.Oversampling.Pressure]
	o.Humidity = oversampling[e.Oversampling.Humidity]
	o.Filter = filters[e.Filter]
	o.TemperatureOffset = physic.Temperature(math.Round(e.TemperatureOffset*1000)) * physic.MilliKelvin
	if e.Heater.Enabled {
		o.HeaterTemperature = physic.ZeroCelsius + physic.Temperature(e.Heater.Temperature)*physic.Kelvin
		o.HeaterDuration = e.Heater.Duration.Duration
	} else {
		o.HeaterTemperature, o.HeaterDuration = 0, 0
	}
	return o
}

var oversampling = map[int]bme680.Oversampling{
	0: bme680.Off, 1: bme680.O1x, 2: bme680.O2x, 4: bme680.O4x, 8: bme680.O8x, 16: bme680.O16x,
}

var filters = map[int]bme680.Filter{
	0: bme680.NoFilter, 1: bme680.F1, 3: bme680.F3, 7: bme680.F7,
	15: bme680.F15, 31: bme680.F31, 63: bme680.F63, 127: bme680.F127,
}

// keepOpen is as good as for ever.
const keepOpen = 365 * 24 * time.Hour

func cameraOpts(c *config.Camera) *camera.Opts {
	o := &camera.Opts{
		Size:         image.Pt(c.Size.Width, c.Size.Height),
		Quality:      c.Quality,
		WarmUpFrames: c.WarmUpFrames,
	}
	if c.WarmUpFrames == 0 {
		o.WarmUpFrames = -1
	}
	if c.KeepOpen {
		o.KeepOpen = keepOpen
	}
	switch c.Format {
	case config.FormatMJPEG:
		o.Pixel = hw.MJPG
	case config.FormatYUYV:
		o.Pixel = hw.YUYV
	}
	return o
}

func screenOpts(c *config.Screen) (display.Opts, error) {
	o := display.Opts{Rotate: c.Rotate, ClearAfter: c.ClearAfter.Duration}
	var err error
	if o.Fit, err = display.ParseFit(c.Fit); err != nil {
		return o, err
	}
	o.Fetch.MaxBytes, o.Fetch.Timeout = int64(c.Fetch.MaxBytes), c.Fetch.Timeout.Duration
	o.Fetch.AllowFolders = c.Fetch.AllowFiles
	if o.Fetch.AllowNets, err = prefixes(c.Fetch.AllowNets); err != nil {
		return o, err
	}
	if o.Fetch.DenyNets, err = prefixes(c.Fetch.DenyNets); err != nil {
		return o, err
	}
	return o, o.Validate()
}

func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("network %q: %w", s, err)
		}
		out = append(out, p)
	}
	return out, nil
}
