package device

// Quantity is a value that a thing measures, with what is needed to show, chart and judge it.
type Quantity struct {
	Name  string // what it is called: temperature
	Event string // the event that carries it
	Key   string // under which key of the event's values; "value" for messages that are one value
	// Unit is the unit of the value as it is published, in the spelling of Home Assistant's
	// documentation: °C, %, hPa, lx, V, A, W, Ω, dBm, B. "" has no unit.
	Unit string
	// Class is Home Assistant's device class (developers.home-assistant.io, sensor entity):
	// temperature, humidity, voltage … "" if none fits.
	Class string
	// Precision is the number of decimal places that mean something.
	Precision int
	// Type is that of the value; "" is that which the event's payload says, or else a number.
	Type ValueType
	// Momentary says that of yes and no only yes is reported: it is over after a while.
	Momentary bool
	// Rests says that it is off from when the part works, without an event.
	Rests bool
	// Set is the action that sets the value, with a param under the name of Key; "": none.
	Set string
	// Min and Max bound what is plausible: a value outside is a fault of the part, not a
	// reading. Both are 0 without bounds.
	Min, Max float64
}

// Plausible reports whether a value lies within the quantity's bounds.
func (q *Quantity) Plausible(v float64) bool {
	return v == v && (q.Min == 0 && q.Max == 0 || v >= q.Min && v <= q.Max)
}
