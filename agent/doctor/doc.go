// Package doctor looks at the parts of a board and tells for each what it
// found, what is wrong, and the one line that fixes it.
//
// [Examine] looks; [Report.Text] and [Report.JSON] print. The trouble and its
// cure come from the errors of [pithings/hw] and the drivers, which end with
// what to do behind a semicolon; this package only splits them. What it adds
// is knowledge of the whole machine, read below one root folder: that I²C is on
// in config.txt but not loaded, which other camera there is, who has the camera
// open.
//
// Nothing is changed on the way: a sensor is only read, a camera's stream is not
// started, a screen is not drawn on and keeps its console where sysfs describes
// it. A GPIO line is requested as an input, as it is in use, and given back.
package doctor
