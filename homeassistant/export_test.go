package homeassistant

// ParseSetting is what a service does with a command.
func ParseSetting(d *Description, payload []byte) (thing string, changes map[string]any, err error) {
	c, err := parseSetting(payload)
	if err != nil {
		return "", nil, err
	}
	s, err := d.find(c)
	if err != nil {
		return "", nil, err
	}
	return c.Thing, s.changes(*c.Value), nil
}
