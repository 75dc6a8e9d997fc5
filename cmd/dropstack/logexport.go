package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/logs/export"
	"github.com/dropstack/dropstack/internal/wire"
)

// exportBucket is where files wait to be fetched.
const exportBucket = "dropstack-exports"

func (c *cli) logExport() *cobra.Command {
	var in export.Input
	var functions []string
	var since, until, to string
	command := &cobra.Command{
		Use:   "export --group NAME -o DIRECTORY | s3://BUCKET/PREFIX",
		Short: "Write logs as Parquet files, for DuckDB and others",
		Long: `Writes a Parquet file of each group and hour, GROUP/YYYY-MM-DD-HH.parquet, into a
directory or a bucket. Columns are the fields that queries know, with their names;
those whose values are numbers are numbers, and "@timestamp" is a time.`,
		Example: "  dropstack logs export --function notes-dev-save --since 24h -o logs\n  dropstack logs export --group /aws/cloudfront/E2EXAMPLE1 --since 2026-11-01 --until 2026-12-01 -o s3://archive/edge\n  dropstack logs export -f notes-dev-save -o logs && duckdb -c \"select count(*) from 'logs/**/*.parquet'\"",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range functions {
				in.Groups = append(in.Groups, "/aws/lambda/"+name)
			}
			if to == "" || len(in.Groups) == 0 {
				return fmt.Errorf("%w: --group or --function says what, and -o where to", errUsage)
			}
			for _, at := range []struct {
				flag, text string
				to         *wire.Time
			}{{"--since", since, &in.Start}, {"--until", until, &in.End}} {
				t, err := moment(at.flag, at.text)
				if err != nil {
					return err
				}
				*at.to = wire.At(t)
			}
			client, err := c.client(cmd)
			if err != nil {
				return err
			}
			if where, ok := strings.CutPrefix(to, "s3://"); ok {
				in.Bucket, in.Prefix, _ = strings.Cut(where, "/")
				return c.exportLogs(cmd.Context(), client, in, nil)
			}
			return c.exportFiles(cmd.Context(), client, in, to)
		},
	}
	f := command.Flags()
	f.StringArrayVar(&in.Groups, "group", nil, "log group; may be repeated")
	f.StringArrayVarP(&functions, "function", "f", nil, "log of this function, by its full name; may be repeated")
	f.StringVar(&since, "since", "24h", "from when on: 30m, 24h, 2d, or a time such as 2026-11-23T10:00:00Z")
	f.StringVar(&until, "until", "", "up to when")
	f.StringVarP(&to, "output", "o", "", "directory, or s3://BUCKET/PREFIX")
	return command
}

// exportLogs exports into a bucket, hands each file to fetch and says what there is.
func (c *cli) exportLogs(ctx context.Context, client *api.Client, in export.Input, fetch func(f export.File) error) error {
	var out export.Output
	if err := client.Call(ctx, "ExportLogs", in, &out); err != nil {
		return err
	}
	for i, f := range out.Files {
		if fetch != nil {
			if err := fetch(f); err != nil {
				return err
			}
			out.Files[i].Key = strings.TrimPrefix(f.Key, in.Prefix+"/")
		}
		if c.json {
			c.writeJSON(c.stdout, out.Files[i])
		}
	}
	if !c.json {
		fmt.Fprintf(c.stdout, "%s in %s\n", count(out.Rows, "row"), count(len(out.Files), "file"))
	}
	return nil
}

// exportFiles exports into a directory, by way of a bucket.
func (c *cli) exportFiles(ctx context.Context, client *api.Client, in export.Input, dir string) error {
	store := client.S3()
	bucket := exportBucket
	if _, err := store.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		if _, err := store.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			return fmt.Errorf("make the bucket of exports: %w", err)
		}
	}
	in.Bucket, in.Prefix = bucket, rand.Text()
	return c.exportLogs(ctx, client, in, func(f export.File) error {
		path := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(f.Key, in.Prefix+"/")))
		if !strings.HasPrefix(path, filepath.Clean(dir)) {
			return fmt.Errorf("%s would be outside of %s", f.Key, dir)
		}
		object, err := store.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &f.Key})
		if err != nil {
			return fmt.Errorf("fetch %s: %w", f.Key, err)
		}
		err = save(path, object.Body)
		_, gone := store.DeleteObject(context.WithoutCancel(ctx), &s3.DeleteObjectInput{Bucket: &bucket, Key: &f.Key})
		return errors.Join(err, gone)
	})
}

// save writes a file, in whose place there is none half written.
func save(path string, body io.ReadCloser) error {
	defer body.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".export-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing, once it is renamed
	_, err = io.Copy(f, body)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
