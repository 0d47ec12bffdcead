// Package py has the values that scripts compute with, and what every operation on
// them stands on: the limits of a script (Machine), exceptions (Raise), types and calls.
//
// Functions of this package panic with *Raised for an exception of Python, which a script
// may catch, and with *Stop for a limit, which it may not. Only package script recovers.
package py
