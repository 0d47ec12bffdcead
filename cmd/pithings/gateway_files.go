package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/flowhost"
	"pithings/gateway"
	"pithings/gateway/supervisor"
	"pithings/mqttlink/durable"
)

func newGatewayImport() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE…",
		Short: "Turn files of Device Supervisor into a configuration",
		Long: `import reads the files that Device Supervisor exports, device.csv, var.csv,
group.csv and warn.csv of 1.x or the JSON of 1.x or 2.x, and prints a section
gateway: for the configuration, and a section things: for Modbus devices. What is
not used here is kept beside each item, for an export, without secrets. Standard
error says what works otherwise, what is missing, and where in which file. Devices
of other protocols are bound to things by thing: NAME.`,
		Example: "  pithings gateway import device.csv var.csv group.csv warn.csv >> pithings.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var files []supervisor.File
			for _, name := range args {
				data, err := durable.ReadFile(name, supervisor.MaxBytes)
				var read *fs.PathError
				if errors.As(err, &read) && read.Op == "read" {
					return fmt.Errorf("%w; an export of Device Supervisor is smaller: import its files, and no archive or log", err)
				} else if err != nil {
					return err
				}
				files = append(files, supervisor.File{Name: name, Data: data})
			}
			imported, err := supervisor.Import(files)
			if err != nil {
				return err
			}
			for _, n := range imported.Notes {
				fmt.Fprintln(c.ErrOrStderr(), "pithings:", n)
			}
			yaml := imported.YAML()
			for _, problem := range refused(yaml) {
				fmt.Fprintln(c.ErrOrStderr(), "pithings:", problem)
			}
			_, err = fmt.Fprint(c.OutOrStdout(), yaml)
			return err
		},
	}
}

// refused says what `config check` would say of sections, if they were all of a configuration
// but for its broker.
func refused(yaml string) (problems []string) {
	cfg, _, err := config.Parse("the output", []byte(yaml+"broker: {listen: \"127.0.0.1:1883\"}\n"), nil)
	if err == nil {
		_, err = agent.Check(cfg, time.Time{})
	}
	if err != nil {
		return []string{fmt.Sprintf("the configuration is not right yet: %v", err)}
	}
	return nil
}

func newGatewayExport() *cobra.Command {
	var format, out string
	c := &cobra.Command{
		Use:   "export CONFIG",
		Short: "Write the gateway of a configuration as files of Device Supervisor",
		Long: `export writes the devices, variables, groups and alarms of a configuration as the
four CSV files of Device Supervisor 1.x into a folder, as the JSON of 2.x, with
rules and parameters, too, or as the JSON of 1.x. What an import has kept is written
unchanged; standard error says what the format cannot hold.`,
		Example: "  pithings gateway export pithings.yaml -o exported\n  pithings gateway export pithings.yaml --format json > gateway.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, _, err := loadConfig(args[0], false)
			if err != nil {
				return err
			}
			files, notes, err := exported(&cfg.Gateway, format, out)
			if err != nil {
				return err
			}
			for _, n := range notes {
				fmt.Fprintln(c.ErrOrStderr(), "pithings:", n)
			}
			return writeFiles(c, files, out, ".json")
		},
	}
	c.Flags().StringVar(&format, "format", "csv", "csv: the files of 1.x; json: that of 2.x; json1: that of 1.x")
	c.Flags().StringVarP(&out, "output", "o", "", "folder, or a file that ends in .json")
	return c
}

// exported writes a gateway in a format.
func exported(s *gateway.Settings, format, out string) (files []flowhost.File, notes []string, err error) {
	var data []byte
	switch format {
	case "csv":
		if out == "" {
			return nil, nil, usagef("name a folder for the four files with -o")
		}
		all, notes, err := supervisor.ExportCSV(s)
		for _, f := range all {
			files = append(files, flowhost.File{Name: f.Name, Text: string(f.Data)})
		}
		return files, notes, err
	case "json":
		data, notes, err = supervisor.ExportJSON(s)
	case "json1":
		data, notes, err = supervisor.ExportFirst(s)
	default:
		return nil, nil, usagef("--format %s: say csv, json or json1", format)
	}
	return []flowhost.File{{Name: "gateway.json", Text: string(data)}}, notes, err
}
