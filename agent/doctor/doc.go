// Package doctor looks at a machine and at the parts of its things, and reports for each
// what it found, what is wrong, and the one line that fixes it.
//
// [Examine] looks; [Report.Text] and [Report.JSON] print. The parts are looked at by
// [pithings/hw/probe], which changes nothing. This package adds what is wrong with the
// machine, its clock and the configuration.
package doctor
