// The plugin's settings. Permission: `settings`.

import { read as text } from 'orch:settings/settings@0.1.0';

/** What the workspace's `config.yaml` says, with the defaults of the plugin's schema. */
export function read() {
  return JSON.parse(text());
}
