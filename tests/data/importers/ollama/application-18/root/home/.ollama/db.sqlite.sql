CREATE TABLE settings (id INTEGER PRIMARY KEY CHECK (id = 1), device_id TEXT NOT NULL DEFAULT '', has_completed_first_run BOOLEAN NOT NULL DEFAULT 0,
 expose BOOLEAN NOT NULL DEFAULT 0, survey BOOLEAN NOT NULL DEFAULT TRUE, browser BOOLEAN NOT NULL DEFAULT 0, models TEXT NOT NULL DEFAULT '', agent BOOLEAN NOT NULL DEFAULT 0,
 tools BOOLEAN NOT NULL DEFAULT 0, working_dir TEXT NOT NULL DEFAULT '', context_length INTEGER NOT NULL DEFAULT 0, window_width INTEGER NOT NULL DEFAULT 0,
 window_height INTEGER NOT NULL DEFAULT 0, airplane_mode BOOLEAN NOT NULL DEFAULT 0, selected_model TEXT NOT NULL DEFAULT '', think_level TEXT NOT NULL DEFAULT '',
 last_home_view TEXT NOT NULL DEFAULT 'chat', something_new TEXT, schema_version INTEGER NOT NULL DEFAULT 18);
INSERT INTO settings(id, device_id, models, context_length, window_width, window_height, selected_model, something_new) VALUES(1, '0198-secret', '/data/models', 16384, 1200, 0, 'llama3.2:3b', 'x');
CREATE TABLE users (name TEXT, email TEXT, plan TEXT, cached_at TIMESTAMP);
INSERT INTO users VALUES('somebody', 'somebody@example.com', NULL, '2025-08-01 10:00:00');
CREATE TABLE chats (id TEXT PRIMARY KEY, title TEXT NOT NULL DEFAULT '', created_at TIMESTAMP NOT NULL, browser_state TEXT);
INSERT INTO chats VALUES('c-1', 'Weather', '2025-08-01 10:00:00.123456789+02:00', NULL), ('c-2', '', '2025-08-02 10:00:00', NULL);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL DEFAULT '', thinking TEXT NOT NULL DEFAULT '',
 stream BOOLEAN NOT NULL DEFAULT 0, model_name TEXT, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP, thinking_time_start TIMESTAMP, thinking_time_end TIMESTAMP, tool_result TEXT);
INSERT INTO messages(chat_id, role, content, thinking, model_name, created_at, tool_result) VALUES
 ('c-1', 'user', 'Will it rain?', '', NULL, '2025-08-01 10:00:01', NULL),
 ('c-1', 'assistant', '', 'I should look.', 'llama3.2:3b', '2025-08-01 10:00:05', NULL),
 ('c-1', 'tool', '', '', NULL, '2025-08-01 10:00:06', '{"rain":true}'),
 ('c-1', 'assistant', 'Yes.', '', 'llama3.2:3b', 'not a time', NULL),
 ('c-2', 'user', 'hi', '', NULL, '2025-08-02 10:00:00', NULL),
 ('c-gone', 'user', 'left over', '', NULL, '2025-08-02 10:00:00', NULL);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY AUTOINCREMENT, message_id INTEGER NOT NULL, type TEXT NOT NULL, function_name TEXT NOT NULL, function_arguments TEXT NOT NULL, function_result TEXT);
INSERT INTO tool_calls(message_id, type, function_name, function_arguments) VALUES(2, 'function', 'weather', '{"place":"here"}');
CREATE TABLE attachments (id INTEGER PRIMARY KEY AUTOINCREMENT, message_id INTEGER NOT NULL, filename TEXT NOT NULL, data BLOB NOT NULL);
INSERT INTO attachments(message_id, filename, data) VALUES(1, 'sky.png', x'89504e47');
