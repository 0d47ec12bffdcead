// Package supervisor reads and writes the files in which InHand's Device Supervisor keeps its
// devices, variables, groups and alarms: the four CSV files and the JSON of 1.x, and the JSON
// of 2.x with its functions, parameters and connections. docs/gateway.md has a table of what
// is taken, kept and not supported.
//
//	files ─▶ decoded ─▶ csv ──────────────▶ rows of 1.x ─▶ importer ─▶ gateway.Settings
//	             └────▶ root ─▶ first ─────────┘             ▲
//	                      └───▶ second: items with keys ─────┘
//
// What the gateway does not use (registers, addresses, protocols) is kept beside each item,
// in its columns, so that an export has what the import had. Devices that are no Modbus
// devices are names without a thing until the configuration binds them.
package supervisor
