// Package field is the side of the gateway that faces the things: it gives the variables of
// a configuration the values that things report ([New], [Field.Take]), judges alarms as the
// values come, has things measure anew ([Field.RecallNow]), and writes to variables by the
// things' actions ([Field.Write]).
//
// It knows things by their descriptions and events (package device) alone.
package field
