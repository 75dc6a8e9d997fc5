package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/monitor"
)

func (c *cli) probe() *cobra.Command {
	p := monitor.Probe{}
	var keyFile string
	var inside, verbose bool
	command := &cobra.Command{
		Use:   "probe --location NAME --join URL",
		Short: "Check a platform's monitors from here, as one of its locations",
		Long: `Makes checks for a platform elsewhere, until it is interrupted. The probe opens every
connection itself, to the platform's console port, so it needs no open port of its own.
When the platform is not heard from, it tries again until it is.

The key is made by ` + "`dropstack monitor location add NAME`" + ` and given in the environment
as $DROPSTACK_PROBE_KEY, or in a file. Without --private-addresses the probe connects to
addresses on the internet only, whatever it is asked for.`,
		Example: "  DROPSTACK_PROBE_KEY=dsp_… dropstack probe --location frankfurt --join https://console.example.com\n  dropstack probe --location office --join http://10.0.0.5:8090 --key-file /etc/dropstack/probe.key --private-addresses",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.Key = os.Getenv("DROPSTACK_PROBE_KEY")
			if keyFile != "" {
				doc, err := os.ReadFile(keyFile)
				if err != nil {
					return fmt.Errorf("%w: --key-file: %w", errUsage, err)
				}
				p.Key = strings.TrimSpace(string(doc))
			}
			switch {
			case p.Location == "" || p.Join == "":
				return fmt.Errorf("%w: --location and --join say as whom the probe joins, and where", errUsage)
			case p.Key == "":
				return fmt.Errorf("%w: no key; `dropstack monitor location add %s` makes one for $DROPSTACK_PROBE_KEY or --key-file", errUsage, p.Location)
			case !strings.HasPrefix(p.Join, "http://") && !strings.HasPrefix(p.Join, "https://"):
				return fmt.Errorf("%w: --join %q is no URL, such as https://console.example.com", errUsage, p.Join)
			}
			p.Log = c.logger(verbose)
			p.Checks = &monitor.Checker{Outside: !inside}
			p.Joined = func() {
				if c.json {
					c.writeJSON(c.stdout, map[string]string{"event": "joined", "location": p.Location, "platform": p.Join})
					return
				}
				fmt.Fprintf(c.stdout, "joined %s as location %s\n", p.Join, p.Location)
			}
			return p.Run(cmd.Context())
		},
	}
	f := command.Flags()
	f.StringVar(&p.Location, "location", os.Getenv("DROPSTACK_PROBE_LOCATION"), "name of the location that the probe is ($DROPSTACK_PROBE_LOCATION)")
	f.StringVar(&p.Join, "join", os.Getenv("DROPSTACK_PROBE_JOIN"), "URL of the platform's console port ($DROPSTACK_PROBE_JOIN)")
	f.StringVar(&keyFile, "key-file", "", "file that holds the key (default: $DROPSTACK_PROBE_KEY is the key)")
	f.BoolVar(&inside, "private-addresses", false, "make checks of private and loopback addresses too, where the platform asks for them")
	f.BoolVarP(&verbose, "verbose", "v", false, "log more than what goes wrong")
	return command
}
