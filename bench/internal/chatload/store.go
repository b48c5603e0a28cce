package chatload

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver
)

// readRows reads all messages that are stored, also while the chat has them open,
// room by room in the order of their places.
func readRows(ctx context.Context, driver, at string) (all []row, err error) {
	if driver == "sqlite" {
		at = (&url.URL{Scheme: "file", Opaque: url.PathEscape(at), RawQuery: "_pragma=query_only(1)&_pragma=busy_timeout(5000)"}).String()
	}
	db, err := sql.Open(driver, at)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT room, seq, from_id, to_id, text, coalesce(tag, '') FROM messages ORDER BY room, seq`)
	if err != nil {
		return nil, fmt.Errorf("reading the database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.room, &r.seq, &r.from, &r.to, &r.text, &r.tag); err != nil {
			return nil, fmt.Errorf("reading the database: %w", err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
