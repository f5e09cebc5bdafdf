import { mount } from 'svelte';
import './ui/app.css';
import App from './features/shell/App.svelte';
import { app } from './features/shell/app.svelte';
import { settings } from './features/shell/settings.svelte';

settings.start();
app.start();
mount(App, { target: document.body });
