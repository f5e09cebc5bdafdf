import { mount } from 'svelte';
import './ui/app.css';
import App from './features/shell/App.svelte';
import { app } from './features/shell/app.svelte';
import { settings } from './features/shell/settings.svelte';

// Who is signed in is asked while the words are on their way.
app.start();
void settings.start().then(() => mount(App, { target: document.body }));
