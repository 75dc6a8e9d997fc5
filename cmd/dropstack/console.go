package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
)

func (c *cli) console() *cobra.Command {
	var open bool
	command := &cobra.Command{
		Use:   "console",
		Short: "Make a link that signs in to the console",
		Long: `Prints a link by which a browser signs in to the console as the holder of the access
key that is used here: the administrator's, or a profile's. It can be opened once,
within 15 minutes; the session that it starts ends after 12 hours, or with the key.`,
		Example: "  dropstack console\n  dropstack console --open\n  dropstack console --profile ann",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			var link api.ConsoleLink
			if err := client.Call(cmd.Context(), "CreateConsoleLink", struct{}{}, &link); err != nil {
				return err
			}
			switch {
			case open:
				return browse(cmd.Context(), link.URL)
			case c.json:
				c.writeJSON(c.stdout, link)
			default:
				fmt.Fprintln(c.stdout, link.URL)
			}
			return nil
		},
	}
	command.Flags().BoolVar(&open, "open", false, "open the link in the browser instead of printing it")
	return command
}

// browse opens a URL in the user's browser.
func browse(ctx context.Context, url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("open a browser with %s: %w %s; `dropstack console` prints the link", name, err, out)
	}
	return nil
}
