// Package probe looks at the raw parts of a board and says of each what it found,
// what is wrong, and the one line that fixes it.
//
// A [Prober] has a method for each raw part: [Prober.Line], [Prober.Bus],
// [Prober.Camera], [Prober.Screen]. What a driver knows is handed in as a function:
//
//	p.Bus("attic", "1", func(b i2c.Bus) (chip string, err error) {
//		d, err := bme680.NewI2C(b, 0, nil)
//		…
//	})
//
// Problem and fix come from the errors of [pithings/hw] and the drivers, which end with
// what to do behind a semicolon; this package only splits them. What it adds is
// knowledge of the whole machine, read below one root folder: that I²C is on
// in config.txt but not loaded, which other camera there is, which program has the
// camera open.
//
// Nothing is changed on the way: a chip is only read, a camera's stream is not
// started, a screen is not drawn on and keeps its console where sysfs describes
// it. A GPIO line is requested as an input, as it is in use, and given back.
package probe
